namespace Aries;

/// <summary>One attempt at a stream on one endpoint; each text has the time of its own.</summary>
internal sealed class EndpointStream(PolicyEndpoint endpoint, GenerationRequest request, TimeSpan? timeout, TimeProvider time, CancellationToken cancellationToken) : IAsyncDisposable
{
    private readonly CancellationTokenSource _source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    private IAsyncEnumerator<ResponseUpdate>? _updates;
    private Task<bool>? _move;

    /// <summary>Reads the next update; a stream that ends without its response fails.</summary>
    public async Task<ResponseUpdate> ReadAsync()
    {
        _updates ??= endpoint.Policy.GenerateStreamingAsync(request, _source.Token).GetAsyncEnumerator(_source.Token);
        _move = _updates.MoveNextAsync().AsTask();
        using Deadline deadline = new(timeout, time, cancellationToken);
        return await BalancedPolicyModel.WaitAsync(_move, deadline, cancellationToken).ConfigureAwait(false)
            ? _updates.Current
            : throw new InvalidOperationException($"The stream of the endpoint {endpoint.Name} ended without a response; its last update must carry one.");
    }

    public async ValueTask DisposeAsync()
    {
        await _source.CancelAsync().ConfigureAwait(false);

        if (_move is { IsCompleted: false })
        {
            // An enumerator cannot be disposed while it moves: one that does not heed its token is disposed when it lets go.
            _ = _move.ContinueWith(_ => _updates!.DisposeAsync().AsTask(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
        else if (_updates is not null)
        {
            await _updates.DisposeAsync().ConfigureAwait(false);
        }

        _source.Dispose();
    }
}
