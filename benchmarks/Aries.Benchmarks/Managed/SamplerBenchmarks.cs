using Aries.Managed;
using BenchmarkDotNet.Attributes;

namespace Aries.Benchmarks.Managed;

/// <summary>Drawing one token, over the vocabularies of stories260K, SmolLM2 and Qwen2.5.</summary>
[MemoryDiagnoser]
public class SamplerBenchmarks
{
    private static readonly SamplingOptions Greedy = new() { Temperature = 0 };
    private static readonly SamplingOptions Plain = new() { Temperature = 0.8f };
    private static readonly SamplingOptions TopK = new() { Temperature = 0.8f, TopK = 40 };
    private static readonly SamplingOptions TopP = new() { Temperature = 0.8f, TopP = 0.9f };
    private static readonly SamplingOptions All = new() { Temperature = 0.8f, TopK = 100, TopP = 0.9f, MinP = 0.02f, RepetitionPenalty = 1.1f };

    private readonly TokenSampler _sampler = new();
    private readonly int[] _seen = [.. Enumerable.Range(0, 200)];
    private float[] _logits = [];

    [Params(512, 49152, 151936)]
    public int Vocabulary { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        // About normal with deviation 3, as a language model's are.
        Random random = new(1);
        _logits = [.. Enumerable.Range(0, Vocabulary).Select(_ => (float)(Enumerable.Range(0, 12).Sum(_ => random.NextDouble()) - 6) * 3)];
    }

    [Benchmark(Baseline = true)]
    public int DrawGreedy() => _sampler.Sample(_logits, [], Greedy, 0.5);

    [Benchmark]
    public int DrawPlain() => _sampler.Sample(_logits, [], Plain, 0.5);

    [Benchmark]
    public int DrawTopK() => _sampler.Sample(_logits, [], TopK, 0.5);

    [Benchmark]
    public int DrawTopP() => _sampler.Sample(_logits, [], TopP, 0.5);

    [Benchmark]
    public int DrawAllFilters() => _sampler.Sample(_logits, _seen, All, 0.5);

    [Benchmark]
    public float LogProbability() => _sampler.LogProbability(_logits, 7);
}
