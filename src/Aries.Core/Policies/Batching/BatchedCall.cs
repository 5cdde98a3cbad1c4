namespace Aries;

/// <summary>One call that waits for its pass, and the pass that serves several.</summary>
internal sealed class BatchedCall(GenerationRequest[] requests, CancellationToken cancellationToken) : IDisposable
{
    private readonly TaskCompletionSource<IReadOnlyList<Response>> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationTokenRegistration _registration;

    public GenerationRequest[] Requests => requests;

    public Task<IReadOnlyList<Response>> Result => _result.Task;

    /// <summary>Runs one pass; every call has its result or its failure when it ends.</summary>
    public static async Task RunAsync(IPolicyModel policy, IReadOnlyList<BatchedCall> calls)
    {
        using PassCancellation cancellation = new(calls.Count);
        foreach (BatchedCall call in calls)
        {
            call._registration = call.Token.UnsafeRegister(static state => ((PassCancellation)state!).Leave(), cancellation);
        }

        await RunAsync(policy, calls, cancellation.Token).ConfigureAwait(false);
        foreach (BatchedCall call in calls)
        {
            // Waits for a callback that runs: afterwards none can reach the pass's source, which is disposed next.
            await call._registration.DisposeAsync().ConfigureAwait(false);
        }
    }

    // A failure that nobody waits for any more is looked at, so that it counts as observed.
    public void Dispose() => _ = _result.Task.ContinueWith(
        static ended => _ = ended.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    private CancellationToken Token => cancellationToken;

    private static async Task RunAsync(IPolicyModel policy, IReadOnlyList<BatchedCall> calls, CancellationToken cancellationToken)
    {
        try
        {
            GenerationRequest[] together = calls.Count == 1 ? calls[0].Requests : [.. calls.SelectMany(call => call.Requests)];
            IReadOnlyList<Response> responses = await policy.GenerateAsync(together, cancellationToken).ConfigureAwait(false);
            if (responses?.Count != together.Length)
            {
                throw new InvalidOperationException($"The policy {policy} gave {responses?.Count ?? 0} responses to {together.Length} requests; it must give one a request.");
            }

            int start = 0;
            foreach (BatchedCall call in calls)
            {
                call._result.TrySetResult(new ListSlice<Response>(responses, start, call.Requests.Length));
                start += call.Requests.Length;
            }
        }
        catch (Exception exception) when (exception is ArgumentException or NotSupportedException && calls.Count > 1)
        {
            // A policy refuses a batch as a whole when one request cannot be answered: halves find the culprit in few calls, and the others go on.
            int half = calls.Count / 2;
            await RunAsync(policy, [.. calls.Take(half)], cancellationToken).ConfigureAwait(false);
            await RunAsync(policy, [.. calls.Skip(half)], cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            foreach (BatchedCall call in calls)
            {
                call._result.TrySetException(exception);
            }
        }
    }

    /// <summary>Cancels a pass when all of its calls are cancelled.</summary>
    private sealed class PassCancellation(int callCount) : IDisposable
    {
        private readonly CancellationTokenSource _source = new();
        private int _left = callCount;

        public CancellationToken Token => _source.Token;

        public void Leave()
        {
            if (Interlocked.Decrement(ref _left) == 0)
            {
                _source.Cancel();
            }
        }

        public void Dispose() => _source.Dispose();
    }
}
