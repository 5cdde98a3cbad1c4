using System.Runtime.InteropServices;
using ElementType = Aries.OnnxRuntime.Graphs.TensorProto.Types.DataType;

namespace Aries.OnnxRuntime.Graphs;

/// <summary>The graph of a Llama-family model: tokens in, logits out, keys and values of earlier tokens beside them.</summary>
/// <remarks>
/// A layer is [Skip]SimplifiedLayerNormalization, one product for queries, keys and values, GroupQueryAttention (which turns queries and keys by their rotary angles and keeps the cache),
/// the output product, SkipSimplifiedLayerNormalization, and the gated feed-forward block. Names of weights are Hugging Face's.
/// </remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class LlamaGraph
{
    // What the attention operator asks of the heads that it turns itself.
    private const int RotatedHeadMultiple = 16;

    // Of cosines or sines, for all positions: 2 GiB of single precision, some four million tokens of the widest heads.
    private const long LargestTable = 1L << 29;

    private const string Embedding = "model.embed_tokens.weight";

    private readonly LlamaConfig _config;
    private readonly GenAIModelOptions _options;
    private readonly GraphBuilder _graph = new("decoder");
    private ExternalData _data = null!;
    private LinearLayers _linear = null!;
    private Func<string, float[]> _read = null!;

    public LlamaGraph(LlamaConfig config, GenAIModelOptions options)
    {
        (_config, _options) = (config, options);
    }

    private bool RotatesInside => _config.HeadSize % RotatedHeadMultiple == 0;

    /// <summary>Checks, before anything is read or written, that every tensor of a model can be made in memory.</summary>
    /// <param name="config">The model.</param>
    /// <param name="file">Where it is from, for the message.</param>
    /// <exception cref="ModelFormatException">A tensor would be too large.</exception>
    public static void CheckSize(LlamaConfig config, string file)
    {
        if ((long)config.ContextLength * (config.HeadSize / 2) > LargestTable)
        {
            throw new ModelFormatException(
                file,
                $"max_position_embeddings is {config.ContextLength}, and the rotary angles of so many positions, {config.HeadSize / 2} each, are more than {LargestTable} numbers.",
                "Set it, or sliding_window, to the longest sequence that will be used.");
        }

        // Queries, keys and values are joined, and so are the two projections into the feed-forward block.
        (string Key, long Rows)[] products =
        [
            ("vocab_size", config.VocabularySize),
            ("num_attention_heads", ((long)config.HeadCount + (2L * config.KeyValueHeadCount)) * config.HeadSize),
            ("intermediate_size", 2L * config.IntermediateSize),
        ];
        foreach ((string key, long rows) in products)
        {
            if (rows * config.HiddenSize > Array.MaxLength)
            {
                throw new ModelFormatException(
                    file,
                    $"{key} and hidden_size, which is {config.HiddenSize}, make a matrix of {rows * config.HiddenSize} weights, and {Array.MaxLength} is the most that can be written.",
                    "Write a smaller model.");
            }
        }
    }

    /// <summary>Adds all nodes, and writes the weights as they are read.</summary>
    public void Build(ExternalData data, Func<string, float[]> read, CancellationToken cancellationToken)
    {
        (_data, _read) = (data, read);
        _linear = new LinearLayers(_graph, data, _options, read);
        string tokens = _graph.Input("input_ids", ElementType.Int64, "batch_size", "sequence_length");
        string mask = _graph.Input("attention_mask", ElementType.Int64, "batch_size", "total_sequence_length");
        (string lengths, string total) = SequenceLengths(mask);
        AddRotaryTables();
        if (!RotatesInside)
        {
            AddPositions(tokens, mask);
        }

        long hidden = _config.HiddenSize;
        string table = _graph.Initializer(data.Write(Embedding, read(Embedding), _config.VocabularySize, hidden));
        string stream = _graph.Node("/embed", "Gather", [table, tokens]);
        string? branch = null;
        for (int layer = 0; layer < _config.LayerCount; layer++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (stream, branch) = AddLayer(layer, stream, branch, lengths, total);
        }

        (string final, _) = AddNorm("model.norm", stream, branch);
        AddHead(AddLogitsStart(final), table);
    }

    /// <summary>Writes the graph.</summary>
    public void WriteTo(Stream stream) => _graph.WriteTo(stream);

    private (string Stream, string Branch) AddLayer(int index, string stream, string? branch, string lengths, string total)
    {
        string layer = $"model.layers.{index}.";
        (string normed, stream) = AddNorm(layer + "input_layernorm", stream, branch);
        string attention = AddAttention(index, normed, lengths, total);
        (normed, stream) = AddNorm(layer + "post_attention_layernorm", stream, attention);
        return (stream, AddFeedForward(layer + "mlp.", normed));
    }

    private string AddAttention(int index, string normed, string lengths, string total)
    {
        string attention = $"model.layers.{index}.self_attn.";
        int queries = _config.HeadCount * _config.HeadSize;
        int keys = _config.KeyValueHeadCount * _config.HeadSize;
        string packed = _linear.Add(
            attention + "qkv_proj",
            normed,
            _config.HiddenSize,
            [
                new(attention + "q_proj", queries, LoraProjections.Query, _config.HasQueryKeyValueBias),
                new(attention + "k_proj", keys, LoraProjections.Key, _config.HasQueryKeyValueBias),
                new(attention + "v_proj", keys, LoraProjections.Value, _config.HasQueryKeyValueBias),
            ]);
        (string query, string key, string value) = RotatesInside ? (packed, "", "") : Rotate(attention, packed, queries, keys);
        object[] Shape(string length) => ["batch_size", _config.KeyValueHeadCount, length, _config.HeadSize];
        string pastKey = _graph.Input($"past_key_values.{index}.key", _data.ElementType, Shape("past_sequence_length"));
        string pastValue = _graph.Input($"past_key_values.{index}.value", _data.ElementType, Shape("past_sequence_length"));
        _graph.Output($"present.{index}.key", _data.ElementType, Shape("present_sequence_length"));
        _graph.Output($"present.{index}.value", _data.ElementType, Shape("present_sequence_length"));
        _graph.Node(
            attention + "attention",
            "GroupQueryAttention",
            [query, key, value, pastKey, pastValue, lengths, total, .. RotatesInside ? (string[])["cos_cache", "sin_cache"] : []],
            [attention + "attention", $"present.{index}.key", $"present.{index}.value"],
            [
                GraphBuilder.Attribute("num_heads", _config.HeadCount),
                GraphBuilder.Attribute("kv_num_heads", _config.KeyValueHeadCount),
                GraphBuilder.Attribute("do_rotary", RotatesInside ? 1 : 0),
                GraphBuilder.Attribute("rotary_interleaved", 0),
            ],
            GraphBuilder.Microsoft);
        return _linear.Add(attention + "output", attention + "attention", queries, [new(attention + "o_proj", _config.HiddenSize, LoraProjections.Output)]);
    }

    // Heads of other widths are turned by an operator of their own.
    private (string Query, string Key, string Value) Rotate(string attention, string packed, int queries, int keys)
    {
        string sizes = _graph.Initializer(Integers(attention + "sizes", queries, keys, keys));
        string[] parts = [attention + "query", attention + "key", attention + "value"];
        _graph.Node(attention + "split", "Split", [packed, sizes], parts, [GraphBuilder.Attribute("axis", -1)]);
        string Turn(string part) => _graph.Node(
            part + ".turned", "RotaryEmbedding", [part, "/positions", "cos_cache", "sin_cache"], [GraphBuilder.Attribute("interleaved", 0)], GraphBuilder.Microsoft);
        return (Turn(parts[0]), Turn(parts[1]), parts[2]);
    }

    private string AddFeedForward(string block, string normed)
    {
        int inner = _config.IntermediateSize;
        string both = _linear.Add(
            block + "gate_up", normed, _config.HiddenSize, [new(block + "gate_proj", inner, LoraProjections.Gate), new(block + "up_proj", inner, LoraProjections.Up)]);
        _graph.Node(block + "split", "Split", [both], [block + "gate", block + "up"], [GraphBuilder.Attribute("axis", -1), GraphBuilder.Attribute("num_outputs", 2)]);

        // x · σ(x), in standard operators: ONNX Runtime makes one kernel of them where it has one.
        string sigmoid = _graph.Node(block + "sigmoid", "Sigmoid", [block + "gate"]);
        string activated = _graph.Node(block + "silu", "Mul", [block + "gate", sigmoid]);
        string product = _graph.Node(block + "product", "Mul", [activated, block + "up"]);
        return _linear.Add(block + "output", product, inner, [new(block + "down_proj", _config.HiddenSize, LoraProjections.Down)]);
    }

    private (string Normed, string Stream) AddNorm(string name, string stream, string? branch)
    {
        string weight = _graph.Initializer(_data.Write(name + ".weight", _read(name + ".weight"), _config.HiddenSize));
        if (branch is null)
        {
            return (_graph.Node(
                name, "SimplifiedLayerNormalization", [stream, weight], [GraphBuilder.Attribute("axis", -1), GraphBuilder.Attribute("epsilon", _config.RmsNormEpsilon), GraphBuilder.Attribute("stash_type", 1)]), stream);
        }

        _graph.Node(
            name,
            "SkipSimplifiedLayerNormalization",
            [stream, branch, weight],
            [name, "", "", name + ".sum"],
            [GraphBuilder.Attribute("epsilon", _config.RmsNormEpsilon)],
            GraphBuilder.Microsoft);
        return (name, name + ".sum");
    }

    // Who generates wants the logits of a prompt's last token alone, and the head costs as much as many layers: rows before the input's are left out. Its default leaves out none.
    private string AddLogitsStart(string normed)
    {
        string start = _graph.Input(GenAIModelWriter.LogitsStart, ElementType.Int64, 1);
        _graph.Initializer(Integers(start, 0));
        string end = _graph.Initializer(Integers("/logits/end", long.MaxValue));
        return _graph.Node("/logits/rows", "Slice", [normed, start, end, "/one"]);
    }

    private void AddHead(string normed, string table)
    {
        bool isFloat32 = _options.FloatType == OnnxFloatType.Float32;
        string name = isFloat32 ? "logits" : "/head";
        if (!_config.TieEmbeddings)
        {
            _linear.Add(name, normed, _config.HiddenSize, [new("lm_head", _config.VocabularySize, LoraProjections.None)]);
        }
        else if (_options.UsesFourBitWeights)
        {
            // Read a second time: kept all along, it would be the largest tensor in memory beside every other.
            _linear.AddFourBit(name, "lm_head", normed, _read(Embedding), _config.VocabularySize, _config.HiddenSize);
        }
        else
        {
            // The embedding serves as it is: a transposed copy of it would be the largest tensor of a small model.
            _graph.Node(name, "FusedMatMul", [normed, table], [GraphBuilder.Attribute("transB", 1)], GraphBuilder.Microsoft);
        }

        if (!isFloat32)
        {
            _graph.Node("logits", "Cast", ["/head"], [GraphBuilder.Attribute("to", (long)ElementType.Float)]);
        }

        _graph.Output("logits", ElementType.Float, "batch_size", "logits_length", _config.VocabularySize);
    }

    // The operator wants, of each row, the index of its last token, and of all the longest length.
    private (string Lengths, string Total) SequenceLengths(string mask)
    {
        string one = _graph.Initializer(Integers("/one", 1));
        string count = _graph.Node("/mask/count", "ReduceSum", [mask, one], [GraphBuilder.Attribute("keepdims", 0)]);
        string last = _graph.Node("/mask/last", "Sub", [count, one]);
        string lengths = _graph.Node("/mask/lengths", "Cast", [last], [GraphBuilder.Attribute("to", (long)ElementType.Int32)]);
        string shape = _graph.Node("/mask/shape", "Shape", [mask]);
        TensorProto index = ExternalData.Inline("/mask/index", ElementType.Int64, MemoryMarshal.AsBytes<long>([1L]));
        string longest = _graph.Node("/mask/longest", "Gather", [shape, _graph.Initializer(index)], [GraphBuilder.Attribute("axis", 0)]);
        return (lengths, _graph.Node("/mask/total", "Cast", [longest], [GraphBuilder.Attribute("to", (long)ElementType.Int32)]));
    }

    // How many tokens stand before each of the new ones, which are the mask's last; a row that is padded on the right repeats its last position.
    private void AddPositions(string tokens, string mask)
    {
        TensorProto axis = ExternalData.Inline("/positions/axis", ElementType.Int64, MemoryMarshal.AsBytes<long>([1L]));
        string counts = _graph.Node("/positions/counts", "CumSum", [mask, _graph.Initializer(axis)]);
        string all = _graph.Node("/positions/all", "Sub", [counts, "/one"]);
        string shape = _graph.Node("/positions/shape", "Shape", [tokens]);
        string width = _graph.Node("/positions/width", "Gather", [shape, "/one"], [GraphBuilder.Attribute("axis", 0)]);
        string start = _graph.Node("/positions/start", "Neg", [width]);
        string end = _graph.Initializer(Integers("/positions/end", long.MaxValue));
        _graph.Node("/positions", "Slice", [all, start, end, "/one"]);
    }

    private static TensorProto Integers(string name, params long[] values) =>
        ExternalData.Inline(name, ElementType.Int64, MemoryMarshal.AsBytes<long>(values), values.Length);

    private void AddRotaryTables()
    {
        double[] frequencies = RotaryFrequencies.Of(_config);
        int half = frequencies.Length;
        float[] cosines = new float[_config.ContextLength * half];
        float[] sines = new float[cosines.Length];
        for (int index = 0; index < cosines.Length; index++)
        {
            (double sine, double cosine) = Math.SinCos(index / half * frequencies[index % half]);
            (sines[index], cosines[index]) = ((float)sine, (float)cosine);
        }

        _graph.Initializer(_data.Write("cos_cache", cosines, _config.ContextLength, half));
        _graph.Initializer(_data.Write("sin_cache", sines, _config.ContextLength, half));
    }
}
