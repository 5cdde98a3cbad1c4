using BenchmarkDotNet.Attributes;

namespace Aries.Benchmarks.Refinement;

/// <summary>What chains cost beside the model: one that has its answers ready and allocates nothing for them. Time and memory are of one draft.</summary>
[MemoryDiagnoser]
public class ChainOverheadBenchmarks
{
    private const int Turns = 4;
    private const int BatchSize = 32;

    private readonly Prompt[] _prompts = [.. Enumerable.Range(0, BatchSize).Select(index => new Prompt($"Tom has {index} apples, buys 5 and sells 3. How many?"))];
    private SelfRefiner _refiner = null!;
    private PreferenceDataCollector _collector = null!;

    [GlobalSetup]
    public void Setup()
    {
        PreparedPolicy policy = new(BatchSize);
        AriesRefinement strategy = new(Turns);
        SamplingOptions sampling = new() { Seed = 1 };
        _refiner = new SelfRefiner(policy, strategy, new SelfRefinerOptions { Sampling = sampling, StopWhenUnchanged = false });
        _collector = new PreferenceDataCollector(
            policy, strategy, new NoPairs(), new PreferenceDataCollectorOptions { Sampling = sampling, BatchSize = BatchSize });
    }

    [Benchmark(OperationsPerInvoke = Turns)]
    public async Task<RefinementResult> OneChain() => await _refiner.RefineAsync(_prompts[0]);

    [Benchmark(OperationsPerInvoke = Turns)]
    public async Task<RefinementUpdate?> Streaming()
    {
        RefinementUpdate? last = null;
        await foreach (RefinementUpdate update in _refiner.RefineStreamingAsync(_prompts[0]))
        {
            last = update;
        }

        return last;
    }

    [Benchmark(OperationsPerInvoke = Turns * BatchSize)]
    public async Task<IReadOnlyList<RefinementResult>> Batch() => await _refiner.RefineAsync(_prompts);

    [Benchmark(OperationsPerInvoke = Turns * BatchSize)]
    public async Task<CollectedChain?> Collection()
    {
        CollectedChain? last = null;
        await foreach (CollectedChain chain in _collector.CollectAsync(_prompts))
        {
            last = chain;
        }

        return last;
    }

    private sealed class PreparedPolicy : IPolicyModel
    {
        private static readonly Response Answer = new()
        {
            Text = "14: 17, 14. Tom has fourteen apples in the end.",
            FinishReason = FinishReason.Stop,
            Usage = new TokenUsage(200, 20),
        };

        private static readonly ResponseUpdate Update = new() { Text = Answer.Text, Response = Answer };

        private readonly Task<IReadOnlyList<Response>>[] _answers;

        public PreparedPolicy(int largestBatch) => _answers =
            [.. Enumerable.Range(0, largestBatch + 1).Select(count => Task.FromResult<IReadOnlyList<Response>>([.. Enumerable.Repeat(Answer, count)]))];

        public Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default) => _answers[requests.Count];

        public async IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(
            GenerationRequest request, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            await Task.CompletedTask;
            yield return Update;
        }

        public void Dispose()
        {
            // Nothing to let go.
        }
    }

    private sealed class NoPairs : IPreferencePairSelector
    {
        private static readonly PairSelection None = new([], []);

        public bool NeedsScores => false;

        public PairSelection SelectPairs(RefinementTrace trace) => None;
    }
}
