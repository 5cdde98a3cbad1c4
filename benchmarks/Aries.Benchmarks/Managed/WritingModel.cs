using Aries.Managed;

namespace Aries.Benchmarks.Managed;

/// <summary>A network of random weights that nevertheless writes a given text, greedily: the overlap with its prompt is known, and every pass is real.</summary>
/// <remarks>
/// The text holds no token twice. The embedding of a token is the largest part of its last hidden row, so a head whose row of the next token is that embedding predicts it;
/// embeddings of random values are all but orthogonal. The head has the size of a tied one and is read as often.
/// </remarks>
internal static class WritingModel
{
    // Large against what the layers add: the norms before them hide it from these.
    private const float EmbeddingScale = 400;

    public static LlamaConfig Config135M { get; } = new()
    {
        ModelType = "llama",
        HiddenSize = 576,
        IntermediateSize = 1536,
        LayerCount = 30,
        HeadCount = 9,
        KeyValueHeadCount = 3,
        HeadSize = 64,
        VocabularySize = 49152,
        ContextLength = 2048,
        RmsNormEpsilon = 1e-5f,
        RopeTheta = 10000,
        TieEmbeddings = false,
        EndTokenIds = [49152],
    };

    public static LlamaWeights Create(LlamaConfig config)
    {
        LlamaWeights weights = LlamaWeights.Allocate(config);
        LlamaInitializer.Fill(weights, new Random(1));
        foreach (ref float value in weights.Embedding.Values.AsSpan())
        {
            value *= EmbeddingScale;
        }

        return weights;
    }

    /// <summary>Makes the network write a text after a token.</summary>
    public static void Teach(LlamaWeights weights, int before, ReadOnlySpan<int> text)
    {
        int width = weights.Embedding.Columns;
        weights.Head.Values.AsSpan().Clear();
        foreach (int token in text)
        {
            weights.Embedding.Values.AsSpan(before * width, width).CopyTo(weights.Head.Values.AsSpan(token * width));
            before = token;
        }
    }
}
