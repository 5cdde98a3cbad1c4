namespace Aries.Managed;

/// <summary>All weights of a Llama-family model: float32 to train, or with packed matrices that are only read.</summary>
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
    public static LlamaWeights Allocate(LlamaConfig config) => Create(config, static (name, rows, columns) => new Parameter(name, rows, columns));

    /// <summary>Makes the tensors that a configuration asks for, one after another.</summary>
    /// <param name="config">The shape of the model.</param>
    /// <param name="create">Makes a tensor of a name, rows and columns.</param>
    public static LlamaWeights Create(LlamaConfig config, Func<string, int, int, Parameter> create)
    {
        int hidden = config.HiddenSize;
        Parameter embedding = create("model.embed_tokens.weight", config.VocabularySize, hidden);
        return new LlamaWeights
        {
            Embedding = embedding,
            Layers = [.. Enumerable.Range(0, config.LayerCount).Select(index => LlamaLayerWeights.Create(config, index, create))],
            FinalNorm = create("model.norm.weight", 1, hidden),
            Head = config.TieEmbeddings ? embedding : create("lm_head.weight", config.VocabularySize, hidden),
        };
    }

    /// <summary>Makes a copy whose matrices are packed; it shares the vectors.</summary>
    /// <param name="config">The shape of the model.</param>
    /// <param name="storage">How a weight is stored.</param>
    public LlamaWeights Pack(LlamaConfig config, WeightStorage storage)
    {
        Dictionary<string, Parameter> parameters = Parameters().ToDictionary(parameter => parameter.Name, StringComparer.Ordinal);
        return Create(config, (name, _, _) => parameters[name].Pack(storage));
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
