using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>A stream with a time limit for each wait. The time in which its reader does something else does not count.</summary>
internal sealed class WatchedStream : IAsyncDisposable
{
    private readonly ChatResilienceOptions _options;
    private readonly CancellationToken _caller;
    private readonly CancellationTokenSource _timer;
    private readonly CancellationTokenSource _linked;
    private readonly Func<CancellationToken, IAsyncEnumerable<ChatResponseUpdate>> _open;
    private IAsyncEnumerator<ChatResponseUpdate>? _updates;
    private Task<bool>? _pending;
    private bool _hasFinishReason;

    public WatchedStream(
        Func<CancellationToken, IAsyncEnumerable<ChatResponseUpdate>> open, ChatResilienceOptions options, TimeProvider time, CancellationToken caller)
    {
        (_open, _options, _caller) = (open, options, caller);
        _timer = new CancellationTokenSource(options.CallTimeout, time);
        _linked = CancellationTokenSource.CreateLinkedTokenSource(caller, _timer.Token);
    }

    /// <summary>Gets the update, or null at the end.</summary>
    public ChatResponseUpdate? Current { get; private set; }

    /// <summary>Goes to the next update.</summary>
    /// <exception cref="TimeoutException">It took too long to come.</exception>
    /// <exception cref="ChatServiceException">The stream ended without a finish reason, and must have one.</exception>
    public async Task MoveAsync()
    {
        _timer.CancelAfter(_options.CallTimeout);
        try
        {
            _updates ??= _open(_linked.Token).GetAsyncEnumerator(_linked.Token);
            _pending = _updates.MoveNextAsync().AsTask();
            Current = await _pending.WaitAsync(_linked.Token).ConfigureAwait(false) ? _updates.Current : null;
        }
        catch (OperationCanceledException exception) when (_timer.IsCancellationRequested && !_caller.IsCancellationRequested)
        {
            throw new TimeoutException($"The stream of the chat client gave nothing for {_options.CallTimeout}. CallTimeout is the limit.", exception);
        }

        _timer.CancelAfter(Timeout.InfiniteTimeSpan);
        _hasFinishReason |= Current?.FinishReason is not null;
        if (Current is null && !_hasFinishReason && _options.RequireFinishReason)
        {
            throw ResilientChatClient.WasCut("The stream");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _linked.CancelAsync().ConfigureAwait(false);
        if (_pending is { IsCompleted: false } pending)
        {
            // A client that does not look at its token still holds the enumerator: it is disposed of when it lets go, and how that ends is looked at, so that it counts as observed.
            _ = pending.ContinueWith(
                ended =>
                {
                    _ = ended.Exception;
                    return _updates!.DisposeAsync().AsTask();
                },
                TaskScheduler.Default);
        }
        else if (_updates is not null)
        {
            await _updates.DisposeAsync().ConfigureAwait(false);
        }

        _linked.Dispose();
        _timer.Dispose();
    }
}
