using System.Runtime.ExceptionServices;
using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>Asks a judge until its reply ends with a verdict in the form asked for.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle nobody asks for holds nothing to dispose of.")]
internal sealed class JudgeCaller
{
    private const int ExcerptLength = 120;

    private readonly IChatClient _client;
    private readonly ChatClientJudgeOptions _options;
    private readonly SemaphoreSlim _slots;

    public JudgeCaller(IChatClient client, ChatClientJudgeOptions? options)
    {
        ArgumentNullException.ThrowIfNull(client);
        options ??= new ChatClientJudgeOptions();
        options.Validate();
        (_client, _options) = (client, options.Copy());
        if (client.GetService(typeof(SelfRefiningChatClient)) is not null)
        {
            // A refiner whose drafts are judged by the refiner itself would not end.
            _options.Template = _options.Template.WithoutRefinement();
        }

        _slots = new SemaphoreSlim(_options.MaxConcurrency);
    }

    public string Rubric => _options.Rubric;

    /// <summary>Asks for one verdict.</summary>
    /// <param name="system">The judge's task.</param>
    /// <param name="question">The texts, and the form of the verdict.</param>
    /// <param name="form">The form alone, for another try.</param>
    /// <param name="parse">Reads the last line of a reply; null where it is no verdict.</param>
    /// <param name="cancellationToken">Cancels the calls.</param>
    public async Task<Judgement<T>> AskAsync<T>(string system, string question, string form, Func<string, T?> parse, CancellationToken cancellationToken)
        where T : struct
    {
        List<ChatMessage> messages = [new(ChatRole.System, system), new(ChatRole.User, question)];
        string reply = "";
        await _slots.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            for (int attempt = 0; attempt <= _options.RetryCount; attempt++)
            {
                ChatResponse? response = await _client.GetResponseAsync(messages, _options.Template.Clone(), cancellationToken).ConfigureAwait(false);
                cancellationToken.ThrowIfCancellationRequested();
                reply = response?.Text.TrimEnd() ?? "";
                int lastLine = reply.LastIndexOf('\n') + 1;
                if (parse(reply[lastLine..].Trim()) is { } verdict)
                {
                    string reasons = reply[..lastLine].Trim();
                    return new Judgement<T>(verdict, reasons.Length > 0 ? reasons : null, null);
                }

                messages = [.. messages[..2], new(ChatRole.Assistant, reply), new(ChatRole.User, $"That reply does not end with a verdict in the form asked for. {form}")];
            }
        }
        catch (Exception exception) when (exception is not (NotSupportedException or ObjectDisposedException) && !cancellationToken.IsCancellationRequested)
        {
            return new Judgement<T>(null, $"The judge failed: {exception.GetType().Name}: {exception.Message}", exception);
        }
        finally
        {
            _slots.Release();
        }

        string excerpt = reply.Length <= ExcerptLength ? reply : "…" + reply[^ExcerptLength..];
        return new Judgement<T>(null, $"None of {_options.RetryCount + 1} replies of the judge ends with a verdict in the form asked for; the last one ends: \"{excerpt}\"", null);
    }

    /// <summary>Throws where not one call of a batch came back: then the judge as a whole fails, and no text is to blame.</summary>
    public static void ThrowIfAllFailed<T>(IReadOnlyList<Judgement<T>> judgements)
        where T : struct
    {
        if (judgements.Count > 0 && judgements.All(judgement => judgement.Error is not null))
        {
            ExceptionDispatchInfo.Throw(judgements[0].Error!);
        }
    }

    /// <summary>Names the judge, and what changes its verdicts.</summary>
    public string Describe(string judge, string more)
    {
        PolicyModelMetadata metadata = ChatMetadata.ToPolicyMetadata(_client, _options.Template.ModelId);
        return $"{judge} {{ Provider = {metadata.ProviderName}, Model = {metadata.ModelId}, {more}Rubric = \"{_options.Rubric}\" }}";
    }
}

/// <summary>What came of one question to a judge: a verdict with its reasons, or a remark on why there is none.</summary>
internal readonly record struct Judgement<T>(T? Verdict, string? Remark, Exception? Error)
    where T : struct;
