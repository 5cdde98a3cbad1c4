using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>A chat client as a policy model: any service or local model behind <see cref="IChatClient"/> answers, and what it answers can be refined, scored and collected.</summary>
/// <remarks>
/// <para>
/// Temperature, top-p, top-k, the token limit, stop sequences and the seed become the chat options of the same name; a top-k of 0 (off) is left unset. Min-p, a repetition
/// penalty and log-probabilities have no equal there and throw.
/// </para>
/// <para>
/// A request that fails becomes <see cref="Response.Failed"/>, whatever the client threw, and the others of its batch go on; only cancellation, <see cref="NotSupportedException"/> and
/// <see cref="ObjectDisposedException"/> end a call. So does a response that is no text: an error of the service, a tool call, a finish reason that is not known. A refusal is
/// data: a response that ends with <see cref="FinishReason.ContentFilter"/>. Token counts below 0 or beyond 2³¹ are taken as not reported.
/// </para>
/// <para>Retries and timeouts are the client's business: see <c>UseResilience</c>.</para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public sealed class ChatClientPolicyModel : IPolicyModel
{
    private readonly IChatClient _client;
    private readonly ChatClientPolicyOptions _options;
    private readonly bool _ownsClient;
    private readonly SemaphoreSlim _slots;
    private volatile bool _isDisposed;

    /// <summary>Creates the model.</summary>
    /// <param name="client">The client.</param>
    /// <param name="options">How it is asked; null for the defaults. Copied.</param>
    /// <param name="ownsClient">Whether disposing the model disposes the client. The default is false.</param>
    /// <exception cref="ArgumentNullException"><paramref name="client"/> is null.</exception>
    /// <exception cref="ArgumentException">An option is outside its range.</exception>
    public ChatClientPolicyModel(IChatClient client, ChatClientPolicyOptions? options = null, bool ownsClient = false)
    {
        ArgumentNullException.ThrowIfNull(client);
        options ??= new ChatClientPolicyOptions();
        options.Validate();
        (_client, _options, _ownsClient) = (client, options.Copy(), ownsClient);
        _slots = new SemaphoreSlim(_options.MaxConcurrency);
    }

    /// <inheritdoc />
    public async Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        cancellationToken.ThrowIfCancellationRequested();
        ChatOptions[] options = new ChatOptions[requests.Count];
        for (int index = 0; index < options.Length; index++)
        {
            // All before the first call: a request that cannot be honoured costs nothing.
            ArgumentNullException.ThrowIfNull(requests[index], nameof(requests));
            options[index] = ChatSampling.ToChatOptions(requests[index], _options.Template);
        }

        Task<Response>[] answers = new Task<Response>[options.Length];
        for (int index = 0; index < answers.Length; index++)
        {
            answers[index] = AnswerAsync(requests[index].Prompt, options[index], cancellationToken);
        }

        return await Task.WhenAll(answers).ConfigureAwait(false);
    }

    /// <inheritdoc />
    public IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return StreamAsync(request.Prompt, ChatSampling.ToChatOptions(request, _options.Template), cancellationToken);
    }

    /// <inheritdoc />
    public object? GetService(Type serviceType)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceType.IsInstanceOfType(this) ? this
            : serviceType == typeof(PolicyModelMetadata) ? ChatMetadata.ToPolicyMetadata(_client, _options.Template?.ModelId)
            : _client.GetService(serviceType);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            if (_ownsClient)
            {
                _client.Dispose();
            }
        }
    }

    /// <summary>Returns the name and what changes an answer, for the record of a run.</summary>
    public override string ToString()
    {
        PolicyModelMetadata metadata = ChatMetadata.ToPolicyMetadata(_client, _options.Template?.ModelId);
        return $"{nameof(ChatClientPolicyModel)} {{ Provider = {metadata.ProviderName}, Model = {metadata.ModelId} }}";
    }

    private async Task<Response> AnswerAsync(Prompt prompt, ChatOptions options, CancellationToken cancellationToken)
    {
        await _slots.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ChatResponse? response = await _client.GetResponseAsync(ChatPrompts.ToMessages(prompt), options, cancellationToken).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            return ToResponse(response ?? throw new ChatServiceException($"The chat client {_client} gave null for a response."));
        }
        catch (Exception exception) when (IsOfTheRequest(exception, cancellationToken))
        {
            return Response.Failed(exception);
        }
        finally
        {
            _slots.Release();
        }
    }

    private async IAsyncEnumerable<ResponseUpdate> StreamAsync(Prompt prompt, ChatOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await _slots.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            StringBuilder text = new();
            List<ChatResponseUpdate> updates = [];
            Exception? failure = null;
            IAsyncEnumerator<ChatResponseUpdate>? stream = null;
            try
            {
                while (true)
                {
                    try
                    {
                        cancellationToken.ThrowIfCancellationRequested();
                        stream ??= _client.GetStreamingResponseAsync(ChatPrompts.ToMessages(prompt), options, cancellationToken).GetAsyncEnumerator(cancellationToken);
                        if (!await stream.MoveNextAsync().ConfigureAwait(false))
                        {
                            break;
                        }
                    }
                    catch (Exception exception) when (IsOfTheRequest(exception, cancellationToken))
                    {
                        failure = exception;
                        break;
                    }

                    updates.Add(stream.Current);
                    text.Append(stream.Current.Text);
                    yield return new ResponseUpdate { Text = stream.Current.Text };
                }
            }
            finally
            {
                if (stream is not null)
                {
                    await stream.DisposeAsync().ConfigureAwait(false);
                }
            }

            cancellationToken.ThrowIfCancellationRequested();
            Response response = failure is null ? ToResponse(updates.ToChatResponse()) : Response.Failed(failure, text.ToString());
            yield return new ResponseUpdate { Text = "", Response = response };
        }
        finally
        {
            _slots.Release();
        }
    }

    private Response ToResponse(ChatResponse response)
    {
        string text = response.Text;
        if (FindFailure(response) is { } failure)
        {
            return Response.Failed(failure, text);
        }

        return new Response
        {
            Text = text,
            FinishReason = ChatFinish.IsRefusal(response) ? FinishReason.ContentFilter : FindFinishReason(response)!.Value,
            Usage = ChatUsage.ToTokenUsage(response.Usage),
        };
    }

    private ChatServiceException? FindFailure(ChatResponse response)
    {
        if (ChatFinish.FindError(response) is { } error)
        {
            return new ChatServiceException($"The service reports an error: {error.Message}{(error.ErrorCode is null ? "" : $" ({error.ErrorCode})")}.", error.ErrorCode);
        }

        if (ChatFinish.FindOther(response) is { } other)
        {
            return new ChatServiceException($"The response holds {other.GetType().Name}, and a policy answers in text only. Take the tools out of the client's pipeline.");
        }

        return FindFinishReason(response) is null
            ? new ChatServiceException(
                $"The response ends with the finish reason \"{response.FinishReason}\", which has no meaning here. Give it one in ChatClientPolicyOptions.FinishReasons.", response.FinishReason?.Value)
            : null;
    }

    private FinishReason? FindFinishReason(ChatResponse response) =>
        response.FinishReason is { } given && _options.FinishReasons.TryGetValue(given.Value, out FinishReason own) ? own : ChatFinish.FindFinishReason(response.FinishReason);

    // A client's own time limit is an OperationCanceledException, too: only the caller's token ends the call.
    private static bool IsOfTheRequest(Exception exception, CancellationToken cancellationToken) => exception switch
    {
        OperationCanceledException => !cancellationToken.IsCancellationRequested,
        NotSupportedException or ObjectDisposedException => false,
        _ => true,
    };
}
