namespace Aries;

/// <summary>A tensor that a configuration asks for.</summary>
/// <param name="Name">Its Hugging Face name.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Keys">The keys of <c>config.json</c> that the dimensions come from, for messages.</param>
internal readonly record struct LlamaTensorShape(string Name, long[] Shape, string Keys)
{
    public string ShapeText => $"[{string.Join(", ", Shape)}]";

    /// <summary>Lists what a configuration asks for, lazily: weights are checked against it before anything is allocated.</summary>
    public static IEnumerable<LlamaTensorShape> Of(LlamaConfig config)
    {
        long hidden = config.HiddenSize;
        long inner = config.IntermediateSize;
        long queries = (long)config.HeadCount * config.HeadSize;
        long keys = (long)config.KeyValueHeadCount * config.HeadSize;
        yield return new("model.embed_tokens.weight", [config.VocabularySize, hidden], "vocab_size, hidden_size");
        for (int index = 0; index < config.LayerCount; index++)
        {
            string layer = $"model.layers.{index}.";
            yield return new($"{layer}input_layernorm.weight", [hidden], "hidden_size");
            yield return new($"{layer}self_attn.q_proj.weight", [queries, hidden], "num_attention_heads × head_dim, hidden_size");
            yield return new($"{layer}self_attn.k_proj.weight", [keys, hidden], "num_key_value_heads × head_dim, hidden_size");
            yield return new($"{layer}self_attn.v_proj.weight", [keys, hidden], "num_key_value_heads × head_dim, hidden_size");
            if (config.HasQueryKeyValueBias)
            {
                yield return new($"{layer}self_attn.q_proj.bias", [queries], "num_attention_heads × head_dim");
                yield return new($"{layer}self_attn.k_proj.bias", [keys], "num_key_value_heads × head_dim");
                yield return new($"{layer}self_attn.v_proj.bias", [keys], "num_key_value_heads × head_dim");
            }

            yield return new($"{layer}self_attn.o_proj.weight", [hidden, queries], "hidden_size, num_attention_heads × head_dim");
            yield return new($"{layer}post_attention_layernorm.weight", [hidden], "hidden_size");
            yield return new($"{layer}mlp.gate_proj.weight", [inner, hidden], "intermediate_size, hidden_size");
            yield return new($"{layer}mlp.up_proj.weight", [inner, hidden], "intermediate_size, hidden_size");
            yield return new($"{layer}mlp.down_proj.weight", [hidden, inner], "hidden_size, intermediate_size");
        }

        yield return new("model.norm.weight", [hidden], "hidden_size");
        if (!config.TieEmbeddings)
        {
            yield return new("lm_head.weight", [config.VocabularySize, hidden], "vocab_size, hidden_size");
        }
    }
}
