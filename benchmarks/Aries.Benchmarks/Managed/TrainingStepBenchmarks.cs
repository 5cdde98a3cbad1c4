using Aries.Managed;
using Aries.Preferences;
using BenchmarkDotNet.Attributes;

namespace Aries.Benchmarks.Managed;

/// <summary>One optimiser step of ARIES on 64 pairs of about 50 tokens, for models so small that all but the products counts: all weights, and a LoRA adapter of rank 16.</summary>
/// <remarks>An operation is a whole step. Weights and tokens are random; their values do not change the work. What is allocated is the report of the step, a dictionary.</remarks>
[MemoryDiagnoser]
public class TrainingStepBenchmarks
{
    private const int PairCount = 64;
    private const int Length = 50;

    private Action _step = null!;

    [Params("QuickStart", "1M")]
    public string Model { get; set; } = "QuickStart";

    [Params(0, 16)]
    public int Rank { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        LlamaConfig config = Model == "1M" ? ModelShapes.Llama1M : ModelShapes.QuickStart;
        AriesLoss loss = new();
        _step = new TrainingWork(config, Rank, PairCount, Length, loss.Sequences).CreateStep(loss, WorkerPool.Shared);
    }

    [Benchmark]
    public void Step() => _step();
}
