namespace Aries;

/// <summary>The shape of a Llama-family model: what <c>config.json</c> says of it.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record LlamaConfig
{
    /// <summary>Gets the architecture's name as Hugging Face spells it: <c>llama</c>, <c>mistral</c> or <c>qwen2</c>.</summary>
    public required string ModelType { get; init; }

    /// <summary>Gets the width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Gets the width inside the feed-forward block.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Gets the number of layers.</summary>
    public required int LayerCount { get; init; }

    /// <summary>Gets the number of query heads.</summary>
    public required int HeadCount { get; init; }

    /// <summary>Gets the number of key and value heads; divides <see cref="HeadCount"/>.</summary>
    public required int KeyValueHeadCount { get; init; }

    /// <summary>Gets the width of one head; even.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Gets the number of token ids.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Gets the longest sequence, in tokens.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Gets ε of the root-mean-square norms.</summary>
    public required float RmsNormEpsilon { get; init; }

    /// <summary>Gets the base of the rotary angles.</summary>
    public required double RopeTheta { get; init; }

    /// <summary>Gets the Llama 3 rescaling of the rotary frequencies, or null for none.</summary>
    public Llama3RopeScaling? RopeScaling { get; init; }

    /// <summary>Gets whether the output head is the transposed embedding.</summary>
    public required bool TieEmbeddings { get; init; }

    /// <summary>Gets whether the query, key and value projections have a bias, as Qwen2's have.</summary>
    public bool HasQueryKeyValueBias { get; init; }

    /// <summary>Gets the id that begins every sequence, or null where the model uses none.</summary>
    public int? BeginTokenId { get; init; }

    /// <summary>Gets the ids that end a response; at least one. Training appends the first.</summary>
    public required IReadOnlyList<int> EndTokenIds { get; init; }
}
