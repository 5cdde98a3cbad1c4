using Aries.Managed;
using BenchmarkDotNet.Attributes;

namespace Aries.Benchmarks.Managed;

/// <summary>Decoding from the cache: tokens a second at several batch sizes, on stories260K's shape and on one of about a million parameters.</summary>
/// <remarks>An operation is a whole run: every row reads 32 tokens and writes 64. Weights are random; their values do not change the work.</remarks>
[MemoryDiagnoser]
public class GenerationBenchmarks
{
    private const int PromptLength = 32;
    private const int ResponseLength = 64;

    private DecodingEngine _engine = null!;
    private DecodingRequest[] _requests = [];

    [Params(1, 8, 32)]
    public int BatchSize { get; set; }

    [Params("stories260K", "1M")]
    public string Model { get; set; } = "stories260K";

    [GlobalSetup]
    public void Setup()
    {
        LlamaConfig config = Model == "1M" ? ModelShapes.Llama1M : ModelShapes.Stories260K;
        LlamaWeights weights = LlamaWeights.Allocate(config);
        LlamaInitializer.Fill(weights, new Random(1));
        _engine = new DecodingEngine(new Transformer(config, weights, null, WorkerPool.Shared), maxRows: BatchSize, prefillRows: 256);

        // Sampled, so that rows differ; prompts share nothing.
        _requests =
        [
            .. Enumerable.Range(0, BatchSize).Select(row => new DecodingRequest
            {
                Prompt = [.. Enumerable.Range(0, PromptLength).Select(position => 3 + (((row * 37) + (position * 11)) % 500))],
                Seed = row,
                Options = new SamplingOptions { MaxTokens = ResponseLength },
            }),
        ];
    }

    /// <summary>Decodes the batch. Divide BatchSize × 64 by the mean for tokens a second.</summary>
    [Benchmark]
    public int Decode() => _engine.Run(_requests, CancellationToken.None).Length;
}
