namespace Aries;

/// <summary>Lends places at the endpoints: the least busy of those that are well, never more than each takes.</summary>
internal sealed class EndpointPool
{
    private readonly State[] _states;
    private readonly BalancedPolicyOptions _options;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = NewSignal();

    public EndpointPool(IReadOnlyList<PolicyEndpoint> endpoints, BalancedPolicyOptions options, TimeProvider time)
    {
        _states = [.. endpoints.Select(endpoint => new State(endpoint))];
        (_options, _time) = (options, time);
        Capacity = (int)Math.Min(int.MaxValue, endpoints.Sum(endpoint => (long)endpoint.MaxConcurrency));
    }

    /// <summary>Gets how many requests all endpoints take together.</summary>
    public int Capacity { get; }

    /// <summary>Waits for a place.</summary>
    /// <param name="avoid">The endpoint that failed the request last: taken only where no other is well. Or null.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<PolicyEndpoint> TakeAsync(PolicyEndpoint? avoid, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Task changed;
            TimeSpan? untilRested;
            lock (_lock)
            {
                // One look at the clock for both: between two, a rest could end, and nothing would wake who waits for it.
                long now = _time.GetTimestamp();
                if (Choose(avoid, now) is { } state)
                {
                    state.InFlight++;
                    return state.Endpoint;
                }

                changed = _changed.Task;
                untilRested = UntilRested(now);
            }

            await WaitAsync(changed, untilRested, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Gives a place back after an answer, or after what says nothing of the endpoint.</summary>
    public void Return(PolicyEndpoint endpoint, bool hasAnswered) => Change(endpoint, state =>
    {
        if (hasAnswered)
        {
            state.FailureCount = 0;
        }
    });

    /// <summary>Gives a place back after a failure: the endpoint rests.</summary>
    public void ReturnFailed(PolicyEndpoint endpoint, TimeSpan? retryAfter) => Change(endpoint, state =>
    {
        long now = _time.GetTimestamp();
        TimeSpan left = state.RestFor - _time.GetElapsedTime(state.RestsSince, now);

        // Requests that were in flight together fail together: that is one failure.
        if (state.FailureCount == 0 || left <= TimeSpan.Zero)
        {
            double rest = _options.Rest.Ticks * Math.Pow(2, Math.Min(state.FailureCount++, 40));
            (state.RestsSince, state.RestFor, left) = (now, TimeSpan.FromTicks((long)Math.Min(rest, _options.MaxRest.Ticks)), TimeSpan.Zero);
        }

        if (retryAfter is { } asked && asked > state.RestFor && asked > left)
        {
            (state.RestsSince, state.RestFor) = (now, asked);
        }
    });

    private State? Choose(PolicyEndpoint? avoid, long now)
    {
        State[] well = [.. _states.Where(state => !IsResting(state, now))];
        bool hasOther = Array.Exists(well, state => state.Endpoint != avoid);
        return well
            .Where(state => state.InFlight < state.Limit && (state.Endpoint != avoid || !hasOther))
            .MinBy(state => (double)state.InFlight / state.Limit);
    }

    private TimeSpan? UntilRested(long now)
    {
        TimeSpan[] rests = [.. _states.Where(state => IsResting(state, now)).Select(state => state.RestFor - _time.GetElapsedTime(state.RestsSince, now))];
        return rests.Length == 0 ? null : rests.Min();
    }

    private bool IsResting(State state, long now) => state.FailureCount > 0 && _time.GetElapsedTime(state.RestsSince, now) < state.RestFor;

    private async Task WaitAsync(Task changed, TimeSpan? untilRested, CancellationToken cancellationToken)
    {
        // A timer may fire a moment early, and takes whole milliseconds; the loop looks again in any case.
        TimeSpan timeout = untilRested is { } rest ? TimeSpan.FromMilliseconds(Math.Clamp(Math.Ceiling(rest.TotalMilliseconds), 1, int.MaxValue)) : Timeout.InfiniteTimeSpan;
        try
        {
            await changed.WaitAsync(timeout, _time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // An endpoint has rested.
        }
    }

    private void Change(PolicyEndpoint endpoint, Action<State> change)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            State state = Array.Find(_states, state => state.Endpoint == endpoint)!;
            state.InFlight--;
            change(state);
            (changed, _changed) = (_changed, NewSignal());
        }

        changed.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class State(PolicyEndpoint endpoint)
    {
        public PolicyEndpoint Endpoint => endpoint;

        public int InFlight { get; set; }

        /// <summary>Gets or sets the failures since the last answer; those of one moment count once.</summary>
        public int FailureCount { get; set; }

        public long RestsSince { get; set; }

        public TimeSpan RestFor { get; set; }

        /// <summary>Gets how many requests the endpoint gets at once: one that failed last is tried by one at a time.</summary>
        public int Limit => FailureCount > 0 ? 1 : endpoint.MaxConcurrency;
    }
}
