using System.Diagnostics;
using Aries.Preferences;

namespace Aries.Managed.Tests;

/// <summary>What a step costs beside its result: memory, threads, and the time until it ends when it is cancelled.</summary>
[Collection(nameof(ProcessMemory))]
public sealed class OptimizerStepResourceTests
{
    private static readonly LlamaConfig Config = TestModels.SmallConfig with { LayerCount = 4 };
    private static readonly int[] Batch = [0, 1, 2, 3];

    public static TheoryData<bool, int, int> Ways => new()
    {
        { false, 1, 1 << 20 }, { false, 2, 1 << 20 }, { true, 1, 1 << 20 }, { true, 2, 1 << 20 }, { true, 2, 100 },
    };

    [Theory]
    [MemberData(nameof(Ways))]
    public void Step_AfterWarmUp_AllocatesNothingOnAnyThread(bool adapted, int threads, int tokenBudget)
    {
        using WorkerPool pool = new(threads);
        OptimizerStep step = Create(Model(adapted), pool, tokenBudget);
        Step(step);
        Step(step);
        long[] before = new long[threads + 1];
        long[] after = new long[threads + 1];
        CountAllocated(pool, before);

        // A thread that came too late for the first steps makes its scratch in a later one, once: what a step allocates each time would be in all of these.
        List<long> allocated = [];
        for (int repetition = 0; repetition < 20 && !allocated.Contains(0); repetition++)
        {
            CountAllocated(pool, before);
            Step(step);
            CountAllocated(pool, after);
            allocated.Add(after[1..].Sum() - before[1..].Sum());
        }

        Assert.Contains(0, allocated);
    }

    // The first step sees the shortest row, the next the longest, whose activations alone are ten times the bound. Lists that grow are in it.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_LongerRowsThanBefore_TakesNoNewActivations(bool adapted)
    {
        using WorkerPool pool = new(1);
        TrainedModel model = Model(adapted);
        OptimizerStep step = Create(model, pool, tokenBudget: 100);
        _ = step.ScoreReference(model, CancellationToken.None);
        step.Step([0], 1e-3, CancellationToken.None);
        long before = GC.GetAllocatedBytesForCurrentThread();

        step.Step([3], 1e-3, CancellationToken.None);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 40_000);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Run_AnyNumberOfThreads_GivesTheSameBits(bool adapted)
    {
        (double Loss, double Norm, float[] Weights) Train(int threads)
        {
            using WorkerPool pool = new(threads);
            TrainedModel model = Model(adapted);
            OptimizerStep step = Create(model, pool, 1 << 20);
            Step(step);
            Dictionary<string, double> metrics = step.Run(Batch, 1e-3, TestContext.Current.CancellationToken);
            return (metrics["loss"], metrics["grad_norm"], [.. model.Trained().SelectMany(parameter => parameter.Values)]);
        }

        (double Loss, double Norm, float[] Weights) expected = Train(1);

        foreach (int threads in new[] { 2, 2, 3 })
        {
            (double Loss, double Norm, float[] Weights) actual = Train(threads);
            Assert.Equal(expected.Loss, actual.Loss);
            Assert.Equal(expected.Norm, actual.Norm);
            Assert.Equal(expected.Weights, actual.Weights);
        }
    }

    // Four layers, each asked for twice in the forward pass (1 to 8) and twice in the backward pass (9 to 16): the token is cancelled while a layer is at work.
    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(9)]
    [InlineData(13)]
    public void Run_CancelledInALayer_BeginsNoOtherAndChangesNothing(int access)
    {
        using WorkerPool pool = new(2);
        using CancellationTokenSource source = new();
        TrainedModel model = Model(adapted: true);
        WatchedLayers layers = new(model.Weights.Layers);
        model = model with
        {
            Weights = new LlamaWeights { Embedding = model.Weights.Embedding, Layers = layers, FinalNorm = model.Weights.FinalNorm, Head = model.Weights.Head },
        };
        OptimizerStep step = Create(model, pool, 1 << 20);
        float[] before = [.. model.Trained().SelectMany(parameter => parameter.Values)];
        layers.Watch(access, source);

        Assert.Throws<OperationCanceledException>(() => step.Run(Batch, 1e-3, source.Token));

        Assert.Empty(layers.Others);
        layers.Forget();
        Assert.Equal(before, model.Trained().SelectMany(parameter => parameter.Values));
        Assert.Equal(0, step.Optimizer.StepCount);
        Dictionary<string, double> expected = Create(Model(adapted: true), pool, 1 << 20).Run(Batch, 1e-3, TestContext.Current.CancellationToken);
        Assert.Equal(expected, step.Run(Batch, 1e-3, TestContext.Current.CancellationToken));
    }

    // A cycle's weights, activations and scratch are about 1.5 MB; 200 that stayed would be 300 MB and 200 threads.
    [Fact]
    public void Create_TwoHundredTimes_GivesMemoryAndThreadsBack()
    {
        void Cycle()
        {
            using WorkerPool pool = new(2);
            Step(Create(Model(adapted: true), pool, 1 << 20));
        }

        int threads;
        Cycle();
        using (Process process = Process.GetCurrentProcess())
        {
            threads = process.Threads.Count;
        }

        long managed = GC.GetTotalMemory(forceFullCollection: true);
        for (int cycle = 0; cycle < 200; cycle++)
        {
            Cycle();
        }

        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - managed, long.MinValue, 1 << 20);
        using Process after = Process.GetCurrentProcess();
        Assert.InRange(after.Threads.Count - threads, int.MinValue, 16);
    }

    private static void Step(OptimizerStep step) => step.Step(Batch, 1e-3, CancellationToken.None);

    private static TrainedModel Model(bool adapted)
    {
        LlamaWeights weights = TestModels.Random(Config, seed: 5);
        return new TrainedModel(Config, weights, adapted ? TestModels.RandomAdapter(weights, new LoraOptions { Rank = 3, Alpha = 4 }, seed: 6) : null);
    }

    // Pairs of up to 150 tokens, over several attention tiles; the second two share their prompt.
    private static OptimizerStep Create(TrainedModel model, WorkerPool pool, int tokenBudget)
    {
        Random random = new(8);
        int[] Ids(int count) => [.. Enumerable.Range(0, count).Select(_ => 3 + random.Next(34))];
        int[] shared = Ids(80);
        DpoLoss loss = new();
        List<TrainingRow> rows = [];
        foreach (int[] prompt in new[] { Ids(5), Ids(70), shared, shared })
        {
            TrainingSequence Sequence(int count) => new([.. prompt, .. Ids(count), 2], prompt.Length);
            TrainingSequence none = new([], 0);
            rows.Add(new TrainingRow([Sequence(60), Sequence(9), .. Enumerable.Repeat(none, PairBatch.SequenceCount - 2)], 1));
        }

        ReferenceScores reference = new(new double[PairBatch.SequenceCount * rows.Count], rows.Count);
        return new OptimizerStep(model, loss, new AdamWOptions(), rows, tokenBudget, recompute: false, pool) { Reference = reference };
    }

    // Each of the pool's threads counts its own: an item waits until every thread has one. [how many have, bytes of each].
    private static void CountAllocated(WorkerPool pool, long[] counts)
    {
        counts[0] = 0;
        pool.Run(pool.ThreadCount, counts, static (counts, item) =>
        {
            counts[item + 1] = GC.GetAllocatedBytesForCurrentThread();
            Interlocked.Increment(ref counts[0]);
            SpinWait wait = default;
            while (Volatile.Read(ref counts[0]) < counts.Length - 1)
            {
                wait.SpinOnce(sleep1Threshold: -1);
            }
        });
    }

    private sealed class WatchedLayers(IReadOnlyList<LlamaLayerWeights> layers) : IReadOnlyList<LlamaLayerWeights>
    {
        private CancellationTokenSource? _source;
        private int _left;
        private int? _cancelled;

        /// <summary>Gets the layers that were asked for after the one in which the token was cancelled.</summary>
        public List<int> Others { get; } = [];

        public int Count => layers.Count;

        public LlamaLayerWeights this[int index]
        {
            get
            {
                if (_cancelled is { } layer && layer != index && _source is not null)
                {
                    Others.Add(index);
                }

                if (_source is not null && --_left == 0)
                {
                    _cancelled = index;
                    _source.Cancel();
                }

                return layers[index];
            }
        }

        public void Watch(int access, CancellationTokenSource source) => (_left, _source) = (access, source);

        public void Forget() => _source = null;

        public IEnumerator<LlamaLayerWeights> GetEnumerator() => layers.GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => layers.GetEnumerator();
    }
}
