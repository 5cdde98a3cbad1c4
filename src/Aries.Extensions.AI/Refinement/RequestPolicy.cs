using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>The client beneath as the policy of one request: its own options, its own messages, and whole responses kept.</summary>
internal sealed class RequestPolicy(IChatClient client, RefinableRequest request, ChatOptions? options, CancellationToken caller) : IPolicyModel
{
    private readonly List<ChatResponse> _responses = [];

    // Only a stream has updates to show.
    private Queue<ChatResponseUpdate>? _live;

    /// <summary>Gets the response of each step of the trace.</summary>
    public IReadOnlyList<ChatResponse> Responses => _responses;

    /// <summary>Gets or sets whether the updates of the running step are the answer's, to be shown as they come.</summary>
    public bool IsLive { get; set; }

    /// <summary>Gets whether the last response is one that is not to be rewritten: more than text, a refusal, or cut by a filter.</summary>
    public bool HasFinalResponse { get; private set; }

    /// <summary>Returns the updates of the answer that came since the last call.</summary>
    public IEnumerable<ChatResponseUpdate> TakeLive()
    {
        while (_live is not null && _live.TryDequeue(out ChatResponseUpdate? update))
        {
            yield return update;
        }
    }

    public async Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default)
    {
        if (requests.Count == 1)
        {
            return [Keep(await AskAsync(requests[0], cancellationToken).ConfigureAwait(false))];
        }

        Task<(ChatResponse? Response, Exception? Error)>[] asked = [.. requests.Select(sample => TryAskAsync(sample, cancellationToken))];
        (ChatResponse? Response, Exception? Error)[] answers = await Task.WhenAll(asked).ConfigureAwait(false);

        // Kept in the order of the requests: the trace has them so.
        return [.. answers.Select(answer => answer.Response is { } response ? Keep(response) : Response.Failed(answer.Error!))];
    }

    public async IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(
        GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        // With a time budget the token is not the caller's. An answer that has begun to be shown is finished: it is let go of the budget, and held by the caller's alone.
        CancellationTokenSource? own = cancellationToken == caller ? null : CancellationTokenSource.CreateLinkedTokenSource(caller);
        CancellationTokenRegistration budget = own is null ? default : cancellationToken.Register(static source => ((CancellationTokenSource)source!).Cancel(), own);
        try
        {
            CancellationToken token = own?.Token ?? cancellationToken;
            List<ChatResponseUpdate> updates = [];
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(ToMessages(request), ToOptions(request), token).WithCancellation(token).ConfigureAwait(false))
            {
                token.ThrowIfCancellationRequested();
                updates.Add(update);
                string text = update.Text;
                if (IsLive)
                {
                    if (text.Length > 0)
                    {
                        // A budget that runs out in this moment still counts: nothing of the answer has been shown.
                        await budget.DisposeAsync().ConfigureAwait(false);
                        token.ThrowIfCancellationRequested();
                    }

                    (_live ??= new Queue<ChatResponseUpdate>()).Enqueue(update);
                }

                yield return new ResponseUpdate { Text = text };
            }

            token.ThrowIfCancellationRequested();
            yield return new ResponseUpdate { Text = "", Response = Keep(updates.ToChatResponse()) };
        }
        finally
        {
            await budget.DisposeAsync().ConfigureAwait(false);
            own?.Dispose();
        }
    }

    public object? GetService(Type serviceType) => serviceType == typeof(PolicyModelMetadata)
        ? ChatMetadata.ToPolicyMetadata(client, options?.ModelId)
        : client.GetService(serviceType);

    public void Dispose()
    {
        // The client belongs to the pipeline.
    }

    private async Task<ChatResponse> AskAsync(GenerationRequest asked, CancellationToken cancellationToken)
    {
        ChatResponse? response = await client.GetResponseAsync(ToMessages(asked), ToOptions(asked), cancellationToken).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return response ?? throw new ChatServiceException($"The chat client {client} gave null for a response.");
    }

    private async Task<(ChatResponse? Response, Exception? Error)> TryAskAsync(GenerationRequest asked, CancellationToken cancellationToken)
    {
        try
        {
            return (await AskAsync(asked, cancellationToken).ConfigureAwait(false), null);
        }
        catch (Exception exception) when (exception is not (NotSupportedException or ObjectDisposedException) && !cancellationToken.IsCancellationRequested)
        {
            return (null, exception);
        }
    }

    private IReadOnlyList<ChatMessage> ToMessages(GenerationRequest asked) => request.ToMessages(asked.Prompt);

    // A copy for each call: what is beneath may write into it.
    private ChatOptions? ToOptions(GenerationRequest asked)
    {
        ChatOptions? copy = options?.Clone();
        if (copy is not null && asked.Options.Seed is { } seed)
        {
            copy.Seed = seed;
        }

        return copy;
    }

    private Response Keep(ChatResponse response)
    {
        _responses.Add(response);
        bool isWithheld = ChatFinish.IsRefusal(response) || response.FinishReason == ChatFinishReason.ContentFilter;
        HasFinalResponse = isWithheld || ChatFinish.FindOther(response) is not null || ChatFinish.FindError(response) is not null;
        return new Response
        {
            Text = response.Text,
            FinishReason = isWithheld ? FinishReason.ContentFilter : ChatFinish.FindFinishReason(response.FinishReason) ?? FinishReason.Stop,
            Usage = ChatUsage.ToTokenUsage(response.Usage),
        };
    }
}
