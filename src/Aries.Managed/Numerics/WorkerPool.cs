using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace Aries.Managed;

/// <summary>A few threads that share the items of one piece of work at a time, the caller being one of them.</summary>
/// <remarks>
/// <para>
/// Every thread has a share of neighbouring items, the same one in every call with as many, so that what an item reads and writes stays in its core's caches from call to
/// call; two threads gained 5 to 20 % by that. A thread that is done with its share goes on with those of the others. So which thread runs which item is left to
/// chance, and a body may only write what belongs to its item: then the results do not depend on the number of threads.
/// </para>
/// <para>An idle thread looks for work for some microseconds before it sleeps, because a layer's steps follow each other that closely.</para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently; whole calls of <see cref="Run"/> wait for each other.</threadsafety>
internal sealed class WorkerPool : IDisposable
{
    // Longer than the gap between two products of a layer, shorter than anyone notices on a shared machine.
    private static readonly long SpinTicks = Stopwatch.Frequency / 20_000; // 50 µs

    // In values of 8 bytes: two cache lines, since processors fetch lines in pairs.
    private const int ShareStride = 16;

    private static readonly Lazy<WorkerPool> LazyShared = new(() => new WorkerPool(Environment.ProcessorCount));

    // Set while this thread runs a body: a nested Run must not wait for the pool that it itself occupies.
    [ThreadStatic]
    private static bool _insideBody;

    private readonly Lock _callers = new();
    private readonly object _sleep = new();
    private readonly Thread[] _workers;

    // One for every thread, after an unused one that keeps them off the array's length. High half: the number of the Run, so that a late thread cannot claim an item of the
    // next one. Low half: items of the thread's share that are not yet claimed.
    private readonly long[] _shares;
    private Job? _job;
    private int _itemCount;
    private int _unfinished;
    private int _sleepers;
    private bool _callerSleeps;
    private volatile bool _disposed;
    private ExceptionDispatchInfo? _failure;

    // The number of the Run, written once its shares are there to claim from.
    private long _run;

    /// <summary>Starts the threads.</summary>
    /// <param name="threadCount">How many threads share the work, the caller included; at least 1. One thread runs everything inline.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threadCount"/> is below 1.</exception>
    public WorkerPool(int threadCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threadCount, 1);
        ThreadCount = threadCount;
        _shares = new long[(threadCount + 1) * ShareStride];
        _workers = new Thread[threadCount - 1];
        for (int index = 0; index < _workers.Length; index++)
        {
            int thread = index + 1;
            _workers[index] = new Thread(() => Work(thread)) { IsBackground = true, Name = $"Aries worker {thread}" };
            _workers[index].Start();
        }
    }

    /// <summary>Gets the pool of the whole process, one thread a processor; it lives as long as the process.</summary>
    public static WorkerPool Shared => LazyShared.Value;

    /// <summary>Gets how many threads share the work, the caller included.</summary>
    public int ThreadCount { get; }

    /// <summary>Runs <paramref name="body"/> once for every item and returns when all have ended.</summary>
    /// <remarks>Allocates nothing after a thread's first call for a <typeparamref name="TState"/> when the body is a static lambda. Called from inside a body, it runs inline.</remarks>
    /// <param name="itemCount">The number of items, at least 0. One item runs inline.</param>
    /// <param name="state">Handed to every call.</param>
    /// <param name="body">Receives the state and an item, 0 to <paramref name="itemCount"/> − 1, on any of the threads.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="itemCount"/> is negative.</exception>
    /// <exception cref="ObjectDisposedException">The pool was disposed.</exception>
    /// <exception cref="Exception">The first exception of a body; items not yet begun are then left out.</exception>
    public void Run<TState>(int itemCount, TState state, Action<TState, int> body)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(itemCount);
        ArgumentNullException.ThrowIfNull(body);
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (itemCount <= 1 || _workers.Length == 0 || _insideBody)
        {
            for (int item = 0; item < itemCount; item++)
            {
                body(state, item);
            }

            return;
        }

        Job<TState> job = Job<TState>.OfThisThread();
        (job.State, job.Body) = (state, body);
        _insideBody = true;
        try
        {
            lock (_callers)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                RunShared(itemCount, job);
            }
        }
        finally
        {
            _insideBody = false;
            (job.State, job.Body) = (default!, null!);
        }
    }

    /// <summary>Runs <paramref name="body"/> over 0 to <paramref name="itemCount"/> − 1 in blocks, as <see cref="Run"/> does over items.</summary>
    /// <param name="itemCount">The number of items, at least 0.</param>
    /// <param name="blockSize">The items of a block, at least 1; the last block may hold fewer.</param>
    /// <param name="state">Handed to every call.</param>
    /// <param name="body">Receives the state, a block's first item and the one after its last.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is below its least value.</exception>
    /// <exception cref="ObjectDisposedException">The pool was disposed.</exception>
    public void RunBlocks<TState>(int itemCount, int blockSize, TState state, Action<TState, int, int> body)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(itemCount);
        ArgumentOutOfRangeException.ThrowIfLessThan(blockSize, 1);
        ArgumentNullException.ThrowIfNull(body);
        Run((int)((itemCount + (long)blockSize - 1) / blockSize), (itemCount, blockSize, state, body), static (blocks, index) =>
        {
            int start = index * blocks.blockSize;
            blocks.body(blocks.state, start, Math.Min(blocks.itemCount, start + blocks.blockSize));
        });
    }

    /// <summary>Ends the threads; a <see cref="Run"/> in progress ends first. The shared pool ignores the call.</summary>
    public void Dispose()
    {
        if (LazyShared.IsValueCreated && ReferenceEquals(this, LazyShared.Value))
        {
            return;
        }

        lock (_callers)
        {
            _disposed = true;
            lock (_sleep)
            {
                Monitor.PulseAll(_sleep);
            }
        }

        foreach (Thread worker in _workers)
        {
            worker.Join();
        }
    }

    private void RunShared(int itemCount, Job job)
    {
        (_job, _itemCount, _failure) = (job, itemCount, null);
        Volatile.Write(ref _unfinished, itemCount);
        long run = _run + 1;
        for (int thread = 0; thread < ThreadCount; thread++)
        {
            Volatile.Write(ref Share(thread), (run << 32) | (uint)(ShareStart(itemCount, thread + 1) - ShareStart(itemCount, thread)));
        }

        // A full fence, so that a thread that goes to sleep either sees the number or is seen asleep.
        Interlocked.Exchange(ref _run, run);
        Wake(itemCount - 1);
        TakeItems(0);
        WaitForOthers();
        _job = null;
        ExceptionDispatchInfo? failure = _failure;
        _failure = null;
        failure?.Throw();
    }

    private void Wake(int wanted)
    {
        if (Volatile.Read(ref _sleepers) == 0)
        {
            return;
        }

        lock (_sleep)
        {
            if (wanted >= _sleepers)
            {
                Monitor.PulseAll(_sleep);
                return;
            }

            for (int index = 0; index < wanted; index++)
            {
                Monitor.Pulse(_sleep);
            }
        }
    }

    private ref long Share(int thread) => ref _shares[(thread + 1) * ShareStride];

    private int ShareStart(int itemCount, int thread) => (int)((long)itemCount * thread / ThreadCount);

    // A thread's own share first, then those of the threads after it.
    private void TakeItems(int thread)
    {
        for (int owner = thread; owner < ThreadCount; owner++)
        {
            TakeItemsOf(owner);
        }

        for (int owner = 0; owner < thread; owner++)
        {
            TakeItemsOf(owner);
        }
    }

    private void TakeItemsOf(int owner)
    {
        ref long share = ref Share(owner);
        while (true)
        {
            long ticket = Volatile.Read(ref share);
            if ((uint)ticket == 0)
            {
                return;
            }

            if (Interlocked.CompareExchange(ref share, ticket - 1, ticket) != ticket)
            {
                continue;
            }

            // The claim keeps this Run alive until the item is counted off below, so the fields belong to it.
            try
            {
                if (Volatile.Read(ref _failure) is null)
                {
                    _job!.Execute(ShareStart(_itemCount, owner + 1) - (int)(uint)ticket);
                }
            }
#pragma warning disable CA1031 // Whatever a body throws must reach the caller of Run, and never end a worker's thread.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(exception), null);
            }

            if (Interlocked.Decrement(ref _unfinished) == 0 && Volatile.Read(ref _callerSleeps))
            {
                lock (_sleep)
                {
                    Monitor.PulseAll(_sleep);
                }
            }
        }
    }

    private void WaitForOthers()
    {
        long start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _unfinished) != 0)
        {
            if (Stopwatch.GetTimestamp() - start < SpinTicks)
            {
                Thread.SpinWait(1);
                continue;
            }

            lock (_sleep)
            {
                Volatile.Write(ref _callerSleeps, true);
                Interlocked.MemoryBarrier();
                while (Volatile.Read(ref _unfinished) != 0)
                {
                    Monitor.Wait(_sleep);
                }

                Volatile.Write(ref _callerSleeps, false);
            }
        }
    }

    private void Work(int thread)
    {
        _insideBody = true;
        while (!_disposed)
        {
            long run = Volatile.Read(ref _run);
            TakeItems(thread);
            long start = Stopwatch.GetTimestamp();
            while (Volatile.Read(ref _run) == run && !_disposed)
            {
                if (Stopwatch.GetTimestamp() - start < SpinTicks)
                {
                    Thread.SpinWait(1);
                    continue;
                }

                lock (_sleep)
                {
                    Interlocked.Increment(ref _sleepers);
                    while (Volatile.Read(ref _run) == run && !_disposed)
                    {
                        Monitor.Wait(_sleep);
                    }

                    Interlocked.Decrement(ref _sleepers);
                }
            }
        }
    }

    private abstract class Job
    {
        public abstract void Execute(int item);
    }

    private sealed class Job<TState> : Job
    {
        // One a thread is enough: a nested Run is inline and needs none.
        [ThreadStatic]
        private static Job<TState>? _ofThisThread;

        public TState State { get; set; } = default!;

        public Action<TState, int> Body { get; set; } = null!;

        public static Job<TState> OfThisThread() => _ofThisThread ??= new Job<TState>();

        public override void Execute(int item) => Body(State, item);
    }
}
