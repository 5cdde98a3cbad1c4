namespace Aries;

/// <summary>A language model that answers prompts: π(y|x).</summary>
/// <remarks>
/// <para>A batch is the primitive; an engine that can, computes shared prefixes once. Streaming stands beside it, neither is derived from the other.</para>
/// <para>
/// A backend applies the chat template of its model to a prompt. What it cannot honour in a request is a <see cref="NotSupportedException"/> that names it.
/// What a model wrote is data, never an error: an empty response is a response.
/// </para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently; a backend that cannot run two calls at once queues them. Disposing while a call runs is a caller's error.</threadsafety>
public interface IPolicyModel : IDisposable
{
    /// <summary>Answers a batch of requests.</summary>
    /// <param name="requests">The requests; none may be null. An empty list gives an empty list.</param>
    /// <param name="cancellationToken">Looked at once a token at least.</param>
    /// <returns>
    /// One response a request, in order. Where requests fail one by one (a remote service), such a response has
    /// <see cref="FinishReason.Error"/>; where the engine as a whole fails, the call throws.
    /// </returns>
    /// <exception cref="ArgumentException">A request is null, or its prompt cannot be answered (empty, longer than the context).</exception>
    /// <exception cref="NotSupportedException">A request asks for what this backend cannot honour.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; no response is returned.</exception>
    /// <exception cref="ObjectDisposedException">The model is disposed.</exception>
    Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default);

    /// <summary>Answers one request, giving text as it comes.</summary>
    /// <param name="request">The request.</param>
    /// <param name="cancellationToken">Looked at once a token at least.</param>
    /// <returns>Updates; the last one alone carries the whole <see cref="ResponseUpdate.Response"/>.</returns>
    /// <exception cref="ArgumentException">The request is null, or its prompt cannot be answered.</exception>
    /// <exception cref="NotSupportedException">The request asks for what this backend cannot honour.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled: a cancelled stream throws, it never ends as if finished.</exception>
    IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, CancellationToken cancellationToken = default);

    /// <summary>Returns another face of this model, such as <see cref="ILogProbabilityModel"/> or <see cref="PolicyModelMetadata"/>.</summary>
    /// <param name="serviceType">The type asked for.</param>
    /// <returns>The service, or null. A wrapper passes on what it does not have itself.</returns>
    object? GetService(Type serviceType)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceType.IsInstanceOfType(this) ? this : null;
    }
}
