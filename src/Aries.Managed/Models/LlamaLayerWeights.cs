namespace Aries.Managed;

/// <summary>The weights of one layer. A projection y = W·x has shape [out, in].</summary>
internal sealed class LlamaLayerWeights
{
    public required Parameter AttentionNorm { get; init; }

    public required Parameter Query { get; init; }

    public required Parameter Key { get; init; }

    public required Parameter Value { get; init; }

    public Parameter? QueryBias { get; init; }

    public Parameter? KeyBias { get; init; }

    public Parameter? ValueBias { get; init; }

    public required Parameter Output { get; init; }

    public required Parameter FeedForwardNorm { get; init; }

    public required Parameter Gate { get; init; }

    public required Parameter Up { get; init; }

    public required Parameter Down { get; init; }

    /// <inheritdoc cref="LlamaWeights.Create"/>
    public static LlamaLayerWeights Create(LlamaConfig config, int index, Func<string, int, int, Parameter> create)
    {
        int hidden = config.HiddenSize;
        int queries = config.HeadCount * config.HeadSize;
        int keys = config.KeyValueHeadCount * config.HeadSize;
        Parameter Tensor(string name, int rows, int columns) => create($"model.layers.{index}.{name}", rows, columns);
        Parameter? Bias(string name, int columns) => config.HasQueryKeyValueBias ? Tensor($"self_attn.{name}.bias", 1, columns) : null;

        return new LlamaLayerWeights
        {
            AttentionNorm = Tensor("input_layernorm.weight", 1, hidden),
            Query = Tensor("self_attn.q_proj.weight", queries, hidden),
            Key = Tensor("self_attn.k_proj.weight", keys, hidden),
            Value = Tensor("self_attn.v_proj.weight", keys, hidden),
            QueryBias = Bias("q_proj", queries),
            KeyBias = Bias("k_proj", keys),
            ValueBias = Bias("v_proj", keys),
            Output = Tensor("self_attn.o_proj.weight", hidden, queries),
            FeedForwardNorm = Tensor("post_attention_layernorm.weight", 1, hidden),
            Gate = Tensor("mlp.gate_proj.weight", config.IntermediateSize, hidden),
            Up = Tensor("mlp.up_proj.weight", config.IntermediateSize, hidden),
            Down = Tensor("mlp.down_proj.weight", hidden, config.IntermediateSize),
        };
    }

    public IEnumerable<Parameter> Parameters()
    {
        Parameter?[] all =
        [
            AttentionNorm, Query, Key, Value, QueryBias, KeyBias, ValueBias, Output, FeedForwardNorm, Gate, Up, Down,
        ];
        return all.OfType<Parameter>();
    }
}
