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

    /// <summary>The shape of <see cref="ModelShapes.Llama135M"/>, but for a head of its own.</summary>
    public static LlamaConfig Config { get; } = ModelShapes.Llama135M with { TieEmbeddings = false };

    public static LlamaWeights Create()
    {
        LlamaWeights weights = LlamaWeights.Allocate(Config);
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
