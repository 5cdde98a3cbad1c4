namespace Aries.Managed;

/// <summary>All weights of a Llama-family model, in float32.</summary>
internal sealed class LlamaWeights
{
    /// <summary>Gets <c>model.embed_tokens.weight</c>. Shape [V, H].</summary>
    public required Parameter Embedding { get; init; }

    /// <summary>Gets the layers, first to last.</summary>
    public required IReadOnlyList<LlamaLayerWeights> Layers { get; init; }

    /// <summary>Gets <c>model.norm.weight</c>. Shape [H].</summary>
    public required Parameter FinalNorm { get; init; }

    /// <summary>Gets <c>lm_head.weight</c>, shape [V, H]; the embedding itself where they are tied.</summary>
    public required Parameter Head { get; init; }

    /// <summary>Allocates weights of zeros in the shape that a configuration asks for.</summary>
    public static LlamaWeights Allocate(LlamaConfig config)
    {
        int hidden = config.HiddenSize;
        Parameter embedding = new("model.embed_tokens.weight", config.VocabularySize, hidden);
        return new LlamaWeights
        {
            Embedding = embedding,
            Layers = [.. Enumerable.Range(0, config.LayerCount).Select(index => LlamaLayerWeights.Allocate(config, index))],
            FinalNorm = new Parameter("model.norm.weight", 1, hidden),
            Head = config.TieEmbeddings ? embedding : new Parameter("lm_head.weight", config.VocabularySize, hidden),
        };
    }

    /// <summary>Lists every tensor once, in a fixed order: the order of optimiser state and of saved files.</summary>
    public IEnumerable<Parameter> Parameters()
    {
        yield return Embedding;
        foreach (Parameter parameter in Layers.SelectMany(layer => layer.Parameters()))
        {
            yield return parameter;
        }

        yield return FinalNorm;
        if (!ReferenceEquals(Head, Embedding))
        {
            yield return Head;
        }
    }
}
