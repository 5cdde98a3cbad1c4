namespace Aries;

/// <summary>A caller's token that also cancels when a time is up; without a time, the caller's token itself.</summary>
internal sealed class Deadline : IDisposable
{
    private readonly CancellationToken _caller;
    private readonly CancellationTokenSource? _timer;
    private readonly CancellationTokenSource? _linked;

    public Deadline(TimeSpan? timeLeft, TimeProvider time, CancellationToken caller)
    {
        _caller = caller;
        if (timeLeft is { } left)
        {
            // A timer takes at most 2³² − 2 ms, some 49 days.
            TimeSpan delay = left >= TimeSpan.FromDays(49) ? Timeout.InfiniteTimeSpan : left > TimeSpan.Zero ? left : TimeSpan.Zero;
            _timer = new CancellationTokenSource(delay, time);
            _linked = CancellationTokenSource.CreateLinkedTokenSource(caller, _timer.Token);
        }
    }

    public CancellationToken Token => _linked?.Token ?? _caller;

    /// <summary>Gets whether the time is up, and the caller did not cancel.</summary>
    public bool HasPassed => _timer is { IsCancellationRequested: true } && !_caller.IsCancellationRequested;

    public bool IsCancelledBy(Exception exception) => exception is OperationCanceledException && HasPassed;

    public void Dispose()
    {
        _linked?.Dispose();
        _timer?.Dispose();
    }
}
