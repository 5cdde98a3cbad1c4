namespace Aries;

/// <summary>What <c>genai_config.json</c> says of a decoder-only model: its shape, its tokens, and the names of its graph's inputs and outputs.</summary>
/// <remarks>The format is that of ONNX Runtime GenAI: <see href="https://onnxruntime.ai/docs/genai/reference/config.html"/>.</remarks>
/// <threadsafety>Immutable.</threadsafety>
internal sealed record GenAIConfig
{
    /// <summary>The file's name in a model folder.</summary>
    public const string FileName = "genai_config.json";

    private const string FixUnsupported = "Use a decoder-only model whose graph takes attention_mask and past keys and values, or run the folder with ONNX Runtime GenAI.";

    public required string ModelType { get; init; }

    public required int VocabularySize { get; init; }

    /// <summary>Gets the longest prompt and response together, in tokens.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Gets the ids that end a response; at least one.</summary>
    public required IReadOnlyList<int> EndTokenIds { get; init; }

    /// <summary>Gets the graph's file, relative to the folder.</summary>
    public required string GraphFile { get; init; }

    public required int LayerCount { get; init; }

    public required int KeyValueHeadCount { get; init; }

    public required int HeadSize { get; init; }

    public required string InputIds { get; init; }

    public required string AttentionMask { get; init; }

    public required string PastKey { get; init; }

    public required string PastValue { get; init; }

    public required string Logits { get; init; }

    public required string PresentKey { get; init; }

    public required string PresentValue { get; init; }

    /// <summary>Returns a name of a layer: <c>%d</c> stands for its index.</summary>
    public static string OfLayer(string pattern, int layer) => pattern.Replace("%d", $"{layer}", StringComparison.Ordinal);

    /// <summary>Reads the configuration of a folder.</summary>
    /// <exception cref="ModelFormatException">There is no such folder or file, it is malformed, or the model is of a kind that is not run.</exception>
    public static GenAIConfig Read(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new ModelFormatException(folder, "there is no such folder.", "Point to a model folder of ONNX Runtime GenAI; GenAIModelWriter makes one of a Hugging Face folder.");
        }

        string file = Path.Combine(folder, FileName);
        if (!File.Exists(file))
        {
            throw new ModelFormatException(file, "there is no such file.", "Point to a model folder of ONNX Runtime GenAI; GenAIModelWriter makes one of a Hugging Face folder.");
        }

        using ModelJson json = ModelJson.Read(file);
        ModelJsonObject model = json.Root.RequiredObject("model");
        ModelJsonObject decoder = model.RequiredObject("decoder");
        foreach (string part in (string[])["encoder", "embedding", "vision", "speech"])
        {
            if (model.Find(part) is { } other)
            {
                throw other.Wrong("absent", FixUnsupported);
            }
        }

        if (decoder.Find("pipeline") is { } pipeline)
        {
            throw pipeline.Wrong("absent", FixUnsupported);
        }

        ModelJsonObject? inputs = decoder.Find("inputs")?.Object();
        ModelJsonObject? outputs = decoder.Find("outputs")?.Object();
        int vocabularySize = model.Positive("vocab_size");
        return new GenAIConfig
        {
            ModelType = model.Required("type").Text(),
            VocabularySize = vocabularySize,
            ContextLength = model.Positive("context_length"),
            EndTokenIds = TokenIds(model.Required("eos_token_id"), vocabularySize),
            GraphFile = PlainName(decoder.Required("filename")),
            LayerCount = decoder.Positive("num_hidden_layers"),
            KeyValueHeadCount = decoder.Positive("num_key_value_heads"),
            HeadSize = decoder.Positive("head_size"),
            InputIds = inputs?.Text("input_ids") ?? "input_ids",
            AttentionMask = inputs?.Text("attention_mask") ?? "attention_mask",
            PastKey = inputs?.Text("past_key_names") ?? "past_key_values.%d.key",
            PastValue = inputs?.Text("past_value_names") ?? "past_key_values.%d.value",
            Logits = outputs?.Text("logits") ?? "logits",
            PresentKey = outputs?.Text("present_key_names") ?? "present.%d.key",
            PresentValue = outputs?.Text("present_value_names") ?? "present.%d.value",
        };
    }

    private static string PlainName(ModelJsonValue value)
    {
        string name = value.Text();
        return name is "" or "." or ".." || name.AsSpan().ContainsAny("/\\:\0") ? throw value.Wrong("a plain file name") : name;
    }

    private static List<int> TokenIds(ModelJsonValue value, int vocabularySize)
    {
        ModelJsonValue[] items = value.Kind == System.Text.Json.JsonValueKind.Array ? [.. value.Items()] : [value];
        foreach (ModelJsonValue item in items)
        {
            if ((uint)item.Integer() >= (uint)vocabularySize)
            {
                throw item.Wrong($"a token id below vocab_size, which is {vocabularySize}");
            }
        }

        return items.Length > 0 ? [.. items.Select(item => item.Integer()).Distinct()] : throw value.Wrong("a token id or a list of at least one");
    }
}
