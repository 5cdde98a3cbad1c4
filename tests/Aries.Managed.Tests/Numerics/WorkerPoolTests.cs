using System.Globalization;

namespace Aries.Managed.Tests;

public sealed class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Run_ManyRounds_RunsEveryItemOnce(int threadCount)
    {
        using WorkerPool pool = new(threadCount);
        int[] counts = new int[100];

        for (int round = 0; round < 2000; round++)
        {
            pool.Run(round % counts.Length, counts, static (counts, item) => Interlocked.Increment(ref counts[item]));
        }

        Assert.Equal(Enumerable.Range(0, 100).Select(static item => 20 * (99 - item)), counts);
    }

    // Each item waits until the other runs, so each thread takes one: always its own.
    [Fact]
    public void Run_ItemForEachThread_GivesEachThreadTheSameOneAgain()
    {
        using WorkerPool pool = new(2);
        using Barrier barrier = new(2);
        int[] threads = new int[2];

        for (int round = 0; round < 200; round++)
        {
            pool.Run(2, (barrier, threads), static (state, item) =>
            {
                state.barrier.SignalAndWait();
                state.threads[item] = Environment.CurrentManagedThreadId;
            });

            Assert.Equal(Environment.CurrentManagedThreadId, threads[0]);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Run_BodyThrows_ThrowsToTheCallerAndStaysUsable(int threadCount)
    {
        using WorkerPool pool = new(threadCount);
        int[] count = new int[1];

        InvalidOperationException thrown = Assert.Throws<InvalidOperationException>(() =>
            pool.Run(50, 0, static (_, item) => throw new InvalidOperationException(item.ToString(CultureInfo.InvariantCulture))));
        pool.Run(50, count, static (count, _) => Interlocked.Increment(ref count[0]));

        Assert.InRange(int.Parse(thrown.Message, CultureInfo.InvariantCulture), 0, 49);
        Assert.Equal(50, count[0]);
    }

    [Fact]
    public void Run_InsideABody_RunsInline()
    {
        using WorkerPool pool = new(3);
        int[] counts = new int[2];

        pool.Run(20, (pool, counts), static (state, _) => state.pool.Run(10, state.counts, static (counts, _) => Interlocked.Increment(ref counts[0])));

        Assert.Equal(200, counts[0]);
    }

    [Fact]
    public async Task Run_SeveralCallers_GetTheirOwnItems()
    {
        using WorkerPool pool = new(3);

        int[][] counts = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            int[] mine = new int[17];
            for (int round = 0; round < 500; round++)
            {
                pool.Run(17, mine, static (mine, item) => Interlocked.Increment(ref mine[item]));
            }

            return mine;
        })));

        Assert.All(counts, static mine => Assert.All(mine, static count => Assert.Equal(500, count)));
    }

    [Fact]
    public void Run_AfterWarmUp_AllocatesNothing()
    {
        using WorkerPool pool = new(2);
        int[] counts = new int[8];
        static void Once(WorkerPool pool, int[] counts) =>
            pool.Run(8, (counts, 1), static (state, item) => state.counts[item] += state.Item2);
        Once(pool, counts);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int round = 0; round < 1000; round++)
        {
            Once(pool, counts);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.All(counts, static count => Assert.Equal(1001, count));
    }

    [Fact]
    public void Run_AfterDispose_Throws()
    {
        WorkerPool pool = new(2);
        pool.Dispose();

        Assert.Throws<ObjectDisposedException>(() => pool.Run(2, 0, static (_, _) => { }));
    }

    [Fact]
    public void Constructor_NoThread_Throws() => Assert.Throws<ArgumentOutOfRangeException>(static () => new WorkerPool(0));
}
