using System.Diagnostics;
using System.Runtime;
using Aries.TestKit;

namespace Aries.Managed.Tests;

/// <summary>Tests that read the memory of the whole process, and so run alone.</summary>
[CollectionDefinition(nameof(ProcessMemory), DisableParallelization = true)]
public sealed class ProcessMemory;

[Collection(nameof(ProcessMemory))]
public sealed class ManagedPolicyModelMemoryTests
{
    private static readonly string Folder = TestData.Golden("stories260K-hf");

    // A model of 260K weights holds 1 MB of them, and in use some MB of keys, logits and buffers: 180 cycles that kept one of these would show.
    [Fact]
    public void Dispose_TwoHundredModelsThatGenerated_LeaveNeitherMemoryNorThreads()
    {
        const long Allowance = 32L << 20;
        GenerationRequest[] requests = [.. Enumerable.Range(0, 4).Select(index => new GenerationRequest("Once upon a time", new SamplingOptions { MaxTokens = 8, Seed = index }))];
        for (int cycle = 0; cycle < 20; cycle++)
        {
            LoadAndDispose(requests);
        }

        (long managed, long resident, int threads) = Settle();
        for (int cycle = 20; cycle < 200; cycle++)
        {
            LoadAndDispose(requests);
        }

        (long managedAfter, long residentAfter, int threadsAfter) = Settle();
        Assert.InRange(managedAfter - managed, long.MinValue, Allowance / 8);
        Assert.InRange(residentAfter - resident, long.MinValue, Allowance);
        Assert.InRange(threadsAfter - threads, int.MinValue, 16);
    }

    [Fact]
    public void Load_ManyTimes_GivesItsMemoryBack()
    {
        long Cycle()
        {
            using (ManagedPolicyModel model = ManagedPolicyModel.Load(Folder, new ManagedPolicyOptions { ThreadCount = 1 }))
            {
                model.GenerateAsync([new GenerationRequest("Once upon a time", new SamplingOptions { Temperature = 0, MaxTokens = 30 })]).GetAwaiter().GetResult();
            }

            return GC.GetTotalMemory(forceFullCollection: true);
        }

        Cycle();
        long before = Cycle();
        for (int i = 0; i < 20; i++)
        {
            Cycle();
        }

        // A model's weights alone are a megabyte.
        Assert.InRange(Cycle() - before, long.MinValue, 1 << 20);
    }

    private static void LoadAndDispose(GenerationRequest[] requests)
    {
        using ManagedPolicyModel model = ManagedPolicyModel.Load(Folder, new ManagedPolicyOptions { ThreadCount = 2 });
        Assert.Equal(requests.Length, model.GenerateAsync(requests).GetAwaiter().GetResult().Count);
    }

    private static (long Managed, long Resident, int Threads) Settle()
    {
        GCSettings.LargeObjectHeapCompactionMode = GCLargeObjectHeapCompactionMode.CompactOnce;
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        using Process process = Process.GetCurrentProcess();
        return (GC.GetTotalMemory(forceFullCollection: true), process.WorkingSet64, process.Threads.Count);
    }
}
