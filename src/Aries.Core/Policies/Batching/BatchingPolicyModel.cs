namespace Aries;

/// <summary>Answers concurrent calls together: requests that arrive while a pass of the policy runs share the next one.</summary>
/// <remarks>
/// <para>
/// For an engine that runs one call at a time and computes a batch in little more time than one request. Responses are what each call would get alone, because a
/// policy's response does not depend on its batch; a short response waits for the longest of its pass.
/// </para>
/// <para>
/// A cancelled call leaves the others alone: one that waits is taken out, one whose pass runs throws at once while the pass goes on, and a pass whose calls are all
/// cancelled is cancelled. A prompt that the policy refuses fails its own call only: the pass is split to find it.
/// </para>
/// <para>Streams are not batched, for a batch has no text until it ends: they pass through to the policy, which queues them beside the passes.</para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently. Dispose it when no call runs.</threadsafety>
public sealed class BatchingPolicyModel : IPolicyModel
{
    private readonly IPolicyModel _policy;
    private readonly BatchingPolicyOptions _options;
    private readonly TimeProvider _time;
    private readonly bool _ownsPolicy;
    private readonly Lock _lock = new();
    private readonly LinkedList<BatchedCall> _waiting = new();
    private TaskCompletionSource? _filled;
    private bool _isRunning;
    private bool _isDisposed;

    /// <summary>Creates the model.</summary>
    /// <param name="policy">The policy that answers.</param>
    /// <param name="options">How passes are made; null for the defaults. Copied.</param>
    /// <param name="ownsPolicy">Whether disposing this disposes <paramref name="policy"/>.</param>
    /// <param name="timeProvider">The clock of <see cref="BatchingPolicyOptions.MaxDelay"/>; null for the system's.</param>
    /// <exception cref="ArgumentNullException"><paramref name="policy"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public BatchingPolicyModel(IPolicyModel policy, BatchingPolicyOptions? options = null, bool ownsPolicy = false, TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(policy);
        options ??= new BatchingPolicyOptions();
        options.Validate();
        (_policy, _options, _ownsPolicy, _time) = (policy, options with { }, ownsPolicy, timeProvider ?? TimeProvider.System);
    }

    /// <inheritdoc />
    public async Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        cancellationToken.ThrowIfCancellationRequested();
        if (requests.Count == 0)
        {
            return [];
        }

        using BatchedCall call = new([.. requests], cancellationToken);
        LinkedListNode<BatchedCall> place = Enqueue(call);

        try
        {
            return await call.Result.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            lock (_lock)
            {
                place.List?.Remove(place);
            }
        }
    }

    /// <inheritdoc />
    public IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return _policy.GenerateStreamingAsync(request, cancellationToken);
    }

    /// <inheritdoc />
    public object? GetService(Type serviceType)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceType.IsInstanceOfType(this) ? this : _policy.GetService(serviceType);
    }

    /// <summary>Lets the policy go, where this owns it. Later calls throw <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        if (!_isDisposed && _ownsPolicy)
        {
            _policy.Dispose();
        }

        _isDisposed = true;
    }

    private LinkedListNode<BatchedCall> Enqueue(BatchedCall call)
    {
        lock (_lock)
        {
            LinkedListNode<BatchedCall> place = _waiting.AddLast(call);
            if (!_isRunning)
            {
                // Without the caller's context: the passes serve many.
                using AsyncFlowControl flow = ExecutionContext.SuppressFlow();
                _ = Task.Run(RunPassesAsync, CancellationToken.None);
                _isRunning = true;
            }

            if (_filled is not null && HasFullPass())
            {
                _filled.TrySetResult();
            }

            return place;
        }
    }

    private async Task RunPassesAsync()
    {
        while (true)
        {
            if (_options.MaxDelay > TimeSpan.Zero)
            {
                await GatherAsync().ConfigureAwait(false);
            }

            List<BatchedCall> calls = TakePass();
            if (calls.Count == 0)
            {
                return;
            }

            await BatchedCall.RunAsync(_policy, calls).ConfigureAwait(false);
        }
    }

    private async Task GatherAsync()
    {
        Task filled;
        lock (_lock)
        {
            if (HasFullPass())
            {
                return;
            }

            _filled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            filled = _filled.Task;
        }

        try
        {
            await filled.WaitAsync(_options.MaxDelay, _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Who has not come by now has to wait for the next pass.
        }
    }

    private bool HasFullPass() => _waiting.Sum(call => (long)call.Requests.Length) >= _options.MaxBatchSize;

    // Empty, and then nothing runs any more, when no call waits.
    private List<BatchedCall> TakePass()
    {
        List<BatchedCall> calls = [];
        lock (_lock)
        {
            int count = 0;
            while (_waiting.First is { } next && (calls.Count == 0 || count + next.Value.Requests.Length <= _options.MaxBatchSize))
            {
                count += next.Value.Requests.Length;
                calls.Add(next.Value);
                _waiting.RemoveFirst();
            }

            _isRunning = calls.Count > 0;
        }

        return calls;
    }
}
