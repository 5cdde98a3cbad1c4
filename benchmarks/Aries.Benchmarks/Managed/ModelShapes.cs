using Aries.Managed;

namespace Aries.Benchmarks.Managed;

/// <summary>The shapes that benchmarks run, with random weights.</summary>
internal static class ModelShapes
{
    /// <summary>30 layers, 576 wide, nine query and three key/value heads: the shape of SmolLM2-135M.</summary>
    public static LlamaConfig Llama135M { get; } = Create(layers: 30, hidden: 576, inner: 1536, heads: 9, keyValueHeads: 3, vocabulary: 49152);

    /// <summary>About a million weights.</summary>
    public static LlamaConfig Llama1M { get; } = Create(layers: 4, hidden: 128, inner: 384, heads: 8, keyValueHeads: 4, vocabulary: 512);

    /// <summary>The shape of stories260K.</summary>
    public static LlamaConfig Stories260K { get; } = Create(layers: 5, hidden: 64, inner: 172, heads: 8, keyValueHeads: 4, vocabulary: 512);

    /// <summary>0.22 million weights, as QuickStart's model has.</summary>
    public static LlamaConfig QuickStart { get; } = Create(layers: 4, hidden: 64, inner: 192, heads: 4, keyValueHeads: 2, vocabulary: 382);

    // The end token is an id outside the vocabulary: random weights must not end a run early.
    private static LlamaConfig Create(int layers, int hidden, int inner, int heads, int keyValueHeads, int vocabulary) => new()
    {
        ModelType = "llama",
        HiddenSize = hidden,
        IntermediateSize = inner,
        LayerCount = layers,
        HeadCount = heads,
        KeyValueHeadCount = keyValueHeads,
        HeadSize = hidden / heads,
        VocabularySize = vocabulary,
        ContextLength = 16384,
        RmsNormEpsilon = 1e-5f,
        RopeTheta = 100000,
        TieEmbeddings = true,
        EndTokenIds = [vocabulary],
    };
}
