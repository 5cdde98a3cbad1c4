using System.Text.Json;

namespace Aries;

/// <summary>Reads <c>config.json</c> and <c>generation_config.json</c> of a Hugging Face folder.</summary>
/// <remarks>A key that would change what the model computes, and that the engine does not implement, is an error: never ignored.</remarks>
internal static class LlamaConfigReader
{
    private const string FixUnsupported = "Use a Llama, Mistral or Qwen2 model without this feature.";

    private const int DefaultContextLength = 2048; // What Hugging Face's LlamaConfig assumes.

    /// <summary>Reads the configuration of a folder.</summary>
    /// <exception cref="ModelFormatException">A file is missing or malformed, or asks for what the engine does not implement.</exception>
    public static LlamaConfig Read(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new ModelFormatException(folder, "there is no such folder.", "Point to a Hugging Face model folder.");
        }

        using ModelJson json = ModelJson.Read(Path.Combine(folder, "config.json"));
        string generationPath = Path.Combine(folder, "generation_config.json");
        using ModelJson? generation = File.Exists(generationPath) ? ModelJson.Read(generationPath) : null;
        return Read(json.Root, generation?.Root);
    }

    /// <summary>Reads the configuration out of parsed files.</summary>
    public static LlamaConfig Read(ModelJsonObject json, ModelJsonObject? generation)
    {
        string modelType = ModelType(json);
        RefuseUnsupported(json, modelType);

        int hiddenSize = json.Positive("hidden_size");
        int headCount = json.Positive("num_attention_heads");
        int keyValueHeadCount = json.Find("num_key_value_heads") is null ? headCount : json.Positive("num_key_value_heads");
        if (headCount % keyValueHeadCount != 0)
        {
            throw json.Required("num_key_value_heads").Wrong($"a divisor of num_attention_heads, which is {headCount}");
        }

        int headSize = HeadSize(json, hiddenSize, headCount);
        int vocabularySize = json.Positive("vocab_size");
        (double theta, Llama3RopeScaling? scaling) = Rope(json);
        double epsilon = json.Number("rms_norm_eps") ?? 1e-6;
        if (!(epsilon > 0 && epsilon < 1))
        {
            throw json.Required("rms_norm_eps").Wrong("between 0 and 1");
        }

        return new LlamaConfig
        {
            ModelType = modelType,
            HiddenSize = hiddenSize,
            IntermediateSize = json.Positive("intermediate_size"),
            LayerCount = json.Positive("num_hidden_layers"),
            HeadCount = headCount,
            KeyValueHeadCount = keyValueHeadCount,
            HeadSize = headSize,
            VocabularySize = vocabularySize,
            ContextLength = ContextLength(json, modelType),
            RmsNormEpsilon = (float)epsilon,
            RopeTheta = theta,
            RopeScaling = scaling,
            TieEmbeddings = json.Boolean("tie_word_embeddings") ?? false,
            HasQueryKeyValueBias = modelType == "qwen2",
            BeginTokenId = json.Find("bos_token_id") is { } begin ? TokenId(begin, vocabularySize) : null,
            EndTokenIds = EndTokenIds(json, generation, vocabularySize),
        };
    }

    private static string ModelType(ModelJsonObject json)
    {
        string[] architectures = [.. json.Find("architectures")?.Items().Select(item => item.Text()) ?? []];
        if (architectures.Length == 0 && json.Find("model_type") is null)
        {
            _ = json.Required("model_type");
        }

        string modelType = json.Text("model_type") ?? architectures[0] switch
        {
            "LlamaForCausalLM" => "llama",
            "MistralForCausalLM" => "mistral",
            "Qwen2ForCausalLM" => "qwen2",
            _ => architectures[0],
        };
        string? expected = modelType switch
        {
            "llama" => "LlamaForCausalLM",
            "mistral" => "MistralForCausalLM",
            "qwen2" => "Qwen2ForCausalLM",
            _ => null,
        };
        if (expected is null)
        {
            string key = json.Find("model_type") is null ? "architectures" : "model_type";
            throw json.Required(key).Wrong("llama, mistral or qwen2", "The engine reads these architectures only; use one of their models.");
        }

        return architectures.Length == 0 || architectures.Contains(expected)
            ? modelType
            : throw json.Required("architectures").Wrong($"{expected}, since model_type is {modelType}", "Use a model with a causal language-model head.");
    }

    private static void RefuseUnsupported(ModelJsonObject json, string modelType)
    {
        if (json.Find("hidden_act") is { } activation && activation.Text() != "silu")
        {
            throw activation.Wrong("silu", FixUnsupported);
        }

        foreach (string key in (string[])["attention_bias", "mlp_bias"])
        {
            if (json.Boolean(key) == true)
            {
                throw json.Required(key).Wrong("false", FixUnsupported);
            }
        }

        if (modelType != "mistral" && json.Boolean("use_sliding_window") == true)
        {
            throw json.Required("use_sliding_window").Wrong("false", FixUnsupported);
        }

        if (modelType != "mistral" && json.Find("layer_types") is { } layerTypes && layerTypes.Items().Any(item => item.Text() != "full_attention"))
        {
            throw layerTypes.Wrong("full_attention for every layer", FixUnsupported);
        }

        if (json.Find("partial_rotary_factor") is { } partial && partial.Number() != 1)
        {
            throw partial.Wrong("1", FixUnsupported);
        }

        if (json.Find("quantization_config") is { } quantization)
        {
            throw quantization.Wrong("absent", "Quantised weights cannot be trained: use the model's F32, F16 or BF16 weights.");
        }
    }

    private static int HeadSize(ModelJsonObject json, int hiddenSize, int headCount)
    {
        int headSize;
        if (json.Find("head_dim") is null)
        {
            headSize = hiddenSize % headCount == 0
                ? hiddenSize / headCount
                : throw json.Required("hidden_size").Wrong($"a multiple of num_attention_heads, which is {headCount}, where there is no head_dim");
        }
        else
        {
            headSize = json.Positive("head_dim");
        }

        if (headSize % 2 != 0 || (long)headSize * headCount > int.MaxValue)
        {
            string key = json.Find("head_dim") is null ? "hidden_size" : "head_dim";
            throw json.Required(key).Wrong($"such that a head is even and all {headCount} heads are below 2^31 wide");
        }

        return headSize;
    }

    private static int ContextLength(ModelJsonObject json, string modelType)
    {
        int length = json.Find("max_position_embeddings") is null ? DefaultContextLength : json.Positive("max_position_embeddings");

        // Within its window a sliding-window model attends to everything: the engine stops there instead of sliding.
        return modelType == "mistral" && json.Find("sliding_window") is not null ? Math.Min(length, json.Positive("sliding_window")) : length;
    }

    private static (double Theta, Llama3RopeScaling? Scaling) Rope(ModelJsonObject json)
    {
        // Hugging Face transformers 5 joins rope_theta and rope_scaling in rope_parameters.
        ModelJsonObject? parameters = json.Find("rope_parameters")?.Object();
        ModelJsonValue? thetaValue = parameters?.Find("rope_theta") ?? json.Find("rope_theta");
        double theta = thetaValue?.Number() ?? 10000;
        if (theta <= 1)
        {
            throw thetaValue!.Value.Wrong("greater than 1");
        }

        ModelJsonObject? scaling = parameters ?? json.Find("rope_scaling")?.Object();
        return (theta, scaling is { } found ? RopeScaling(found) : null);
    }

    private static Llama3RopeScaling? RopeScaling(ModelJsonObject scaling)
    {
        ModelJsonValue? type = scaling.Find("rope_type") ?? scaling.Find("type");
        switch (type?.Text())
        {
            case "default":
                return null;
            case null when scaling.Find("factor") is null:
                // rope_parameters of one theta for all layers; a mapping from layer types to parameters is another matter.
                return scaling.Members().Any(member => member.Value.Kind == JsonValueKind.Object)
                    ? throw scaling.Value.Wrong("one set of parameters for all layers", FixUnsupported)
                    : null;
            case "llama3":
                break;
            default:
                throw (type ?? scaling.Value).Wrong("default or llama3", "Use a model with one of these rotary scalings, or its version before the context was extended.");
        }

        double factor = scaling.Required("factor").Number();
        double low = scaling.Required("low_freq_factor").Number();
        double high = scaling.Required("high_freq_factor").Number();
        int original = scaling.Positive("original_max_position_embeddings");
        if (factor < 1 || !(low > 0) || !(high > low))
        {
            throw scaling.Value.Wrong("such that factor ≥ 1 and 0 < low_freq_factor < high_freq_factor");
        }

        return new Llama3RopeScaling(factor, low, high, original);
    }

    private static List<int> EndTokenIds(ModelJsonObject json, ModelJsonObject? generation, int vocabularySize)
    {
        // The generation config wins: chat models list the ends of a turn there and keep the base model's end in config.json.
        ModelJsonValue value = generation?.Find("eos_token_id")
            ?? json.Find("eos_token_id")
            ?? throw new ModelFormatException(json.File, "there is no 'eos_token_id', here or in generation_config.json.", "Add the id of the token that ends a text.");
        List<int> ids = value.Kind == JsonValueKind.Array
            ? [.. value.Items().Select(item => TokenId(item, vocabularySize)).Distinct()]
            : [TokenId(value, vocabularySize)];
        return ids.Count > 0 ? ids : throw value.Wrong("a token id or a list of at least one");
    }

    private static int TokenId(ModelJsonValue value, int vocabularySize)
    {
        int id = value.Integer();
        return id >= 0 && id < vocabularySize ? id : throw value.Wrong($"a token id below vocab_size, which is {vocabularySize}");
    }
}
