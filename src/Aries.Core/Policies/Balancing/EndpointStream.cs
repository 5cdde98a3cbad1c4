namespace Aries;

/// <summary>One attempt at a stream on one endpoint; each text has the time of its own.</summary>
internal sealed class EndpointStream(PolicyEndpoint endpoint, GenerationRequest request, TimeSpan? timeout, TimeProvider time, CancellationToken cancellationToken) : IAsyncDisposable
{
    private readonly CancellationTokenSource _source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    private IAsyncEnumerator<ResponseUpdate>? _updates;
    private bool _hangs;

    /// <summary>Reads the next update; a stream that ends without its response fails.</summary>
    public async Task<ResponseUpdate> ReadAsync()
    {
        _updates ??= endpoint.Policy.GenerateStreamingAsync(request, _source.Token).GetAsyncEnumerator(_source.Token);
        Task<bool> move = _updates.MoveNextAsync().AsTask();
        using Deadline deadline = new(timeout, time, cancellationToken);
        try
        {
            return await BalancedPolicyModel.WaitAsync(move, deadline, cancellationToken).ConfigureAwait(false)
                ? _updates.Current
                : throw new InvalidOperationException($"The stream of the endpoint {endpoint.Name} ended without a response; its last update must carry one.");
        }
        catch
        {
            _hangs = !move.IsCompleted;
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _source.CancelAsync().ConfigureAwait(false);

        // An enumerator cannot be disposed while it moves: one that does not heed its token is left to itself.
        if (_updates is not null && !_hangs)
        {
            await _updates.DisposeAsync().ConfigureAwait(false);
        }

        _source.Dispose();
    }
}
