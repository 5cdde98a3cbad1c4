using Aries.OnnxRuntimeGenAI;
using BenchmarkDotNet.Attributes;

namespace Aries.Benchmarks.GenAI;

/// <summary>What the binding to ONNX Runtime GenAI costs a token, beside the library and the sampler: the calls of a step, alone and in a batch of 32.</summary>
/// <remarks>The goal is less than 2 µs and no allocation a token.</remarks>
[MemoryDiagnoser]
public class GenAIBindingBenchmarks : IDisposable
{
    private const int BatchSize = 32;

    private readonly int[] _tokens = new int[BatchSize];
    private OgaModel _model = null!;
    private OgaGenerator _single = null!;
    private OgaGenerator _batch = null!;

    [GlobalSetup]
    public void Setup()
    {
        GenAIFolder folder = new()
        {
            Path = "none",
            ModelType = "llama",
            VocabularySize = EmptyGenAILibrary.VocabularySize,
            ContextLength = 1024,
            LogitsName = "logits\0"u8.ToArray(),
            HasChunks = false,
            Providers = [],
            TokenizerPath = "none",
            HasChatTemplate = false,
            ControlTexts = [],
            BeginTokenId = null,
        };
        _model = OgaModel.Load(EmptyGenAILibrary.Create(), folder, new GenAIPolicyOptions());
        _single = new OgaGenerator(_model, adapter: null, batchSize: 1, maxLength: 1024);
        _batch = new OgaGenerator(_model, adapter: null, BatchSize, maxLength: 1024);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _batch.Dispose();
        _single.Dispose();
        _model.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>One token of a sequence that is decoded alone.</summary>
    [Benchmark]
    public float SingleToken()
    {
        _single.Append([1]);
        using OgaLogits logits = _single.NextLogits();
        return logits.Row(0, [])[1];
    }

    /// <summary>One token of each of 32 sequences; the mean is a token's.</summary>
    [Benchmark(OperationsPerInvoke = BatchSize)]
    public float BatchToken()
    {
        float sum = 0;
        using (OgaLogits logits = _batch.NextLogits())
        {
            for (int row = 0; row < BatchSize; row++)
            {
                sum += logits.Row(row, [])[row];
            }
        }

        _batch.Choose(_tokens);
        return sum;
    }
}
