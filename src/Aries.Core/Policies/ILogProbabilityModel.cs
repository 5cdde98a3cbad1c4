namespace Aries;

/// <summary>Scores given responses: Σ log π(token | prompt, tokens before), in nats.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public interface ILogProbabilityModel
{
    /// <summary>Scores a batch.</summary>
    /// <param name="requests">The prompts and responses; none may be null. An empty list gives an empty list.</param>
    /// <param name="cancellationToken">Looked at once a forward pass at least.</param>
    /// <returns>One result a request, in order.</returns>
    /// <exception cref="ArgumentException">A request is null, its response has no token, or both together exceed the context.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<IReadOnlyList<ResponseLogProbability>> GetLogProbabilitiesAsync(
        IReadOnlyList<LogProbabilityRequest> requests, CancellationToken cancellationToken = default);
}
