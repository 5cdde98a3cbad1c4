using System.Text.Json;

namespace Aries.Managed;

/// <summary>Writes <c>config.json</c> and <c>generation_config.json</c> as Hugging Face transformers reads them.</summary>
internal static class LlamaConfigWriter
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n" };

    /// <summary>Writes the configuration from nothing but its values.</summary>
    public static void Write(Stream stream, LlamaConfig config, WeightType type)
    {
        using Utf8JsonWriter json = new(stream, Indented);
        json.WriteStartObject();
        json.WriteStartArray("architectures");
        json.WriteStringValue(config.ModelType switch
        {
            "mistral" => "MistralForCausalLM",
            "qwen2" => "Qwen2ForCausalLM",
            _ => "LlamaForCausalLM",
        });
        json.WriteEndArray();
        json.WriteString("model_type", config.ModelType);
        json.WriteNumber("hidden_size", config.HiddenSize);
        json.WriteNumber("intermediate_size", config.IntermediateSize);
        json.WriteNumber("num_hidden_layers", config.LayerCount);
        json.WriteNumber("num_attention_heads", config.HeadCount);
        json.WriteNumber("num_key_value_heads", config.KeyValueHeadCount);
        json.WriteNumber("head_dim", config.HeadSize);
        json.WriteNumber("vocab_size", config.VocabularySize);
        json.WriteNumber("max_position_embeddings", config.ContextLength);
        json.WriteNumber("rms_norm_eps", config.RmsNormEpsilon);
        json.WriteNumber("rope_theta", config.RopeTheta);
        WriteRopeScaling(json, config.RopeScaling);
        json.WriteString("hidden_act", "silu");
        json.WriteBoolean("tie_word_embeddings", config.TieEmbeddings);
        if (config.ModelType == "llama")
        {
            json.WriteBoolean("attention_bias", false);
            json.WriteBoolean("mlp_bias", false);
        }
        else if (config.ModelType == "mistral")
        {
            json.WriteNull("sliding_window");
        }
        else
        {
            json.WriteBoolean("use_sliding_window", false);
        }

        json.WriteNumber("attention_dropout", 0);
        WriteTokens(json, config);
        json.WriteString("torch_dtype", TypeName(type));
        json.WriteBoolean("use_cache", true);
        json.WriteEndObject();
    }

    /// <summary>Writes a configuration that was read from another folder, key for key, with the type of the saved weights.</summary>
    public static void WriteCopy(Stream stream, ModelJsonObject source, WeightType type)
    {
        using Utf8JsonWriter json = new(stream, Indented);
        json.WriteStartObject();
        bool wasWritten = false;
        foreach ((string name, ModelJsonValue value) in source.Members())
        {
            if (name is "torch_dtype" or "dtype")
            {
                json.WriteString(name, TypeName(type));
                wasWritten = true;
            }
            else
            {
                json.WritePropertyName(name);
                value.Element.WriteTo(json);
            }
        }

        if (!wasWritten)
        {
            json.WriteString("torch_dtype", TypeName(type));
        }

        json.WriteEndObject();
    }

    /// <summary>Writes the generation configuration: the ids that begin and end a text.</summary>
    public static void WriteGeneration(Stream stream, LlamaConfig config)
    {
        using Utf8JsonWriter json = new(stream, Indented);
        json.WriteStartObject();
        WriteTokens(json, config);
        json.WriteEndObject();
    }

    private static void WriteTokens(Utf8JsonWriter json, LlamaConfig config)
    {
        if (config.BeginTokenId is { } begin)
        {
            json.WriteNumber("bos_token_id", begin);
        }
        else
        {
            json.WriteNull("bos_token_id");
        }

        if (config.EndTokenIds.Count == 1)
        {
            json.WriteNumber("eos_token_id", config.EndTokenIds[0]);
            return;
        }

        json.WriteStartArray("eos_token_id");
        foreach (int id in config.EndTokenIds)
        {
            json.WriteNumberValue(id);
        }

        json.WriteEndArray();
    }

    private static void WriteRopeScaling(Utf8JsonWriter json, Llama3RopeScaling? scaling)
    {
        if (scaling is null)
        {
            json.WriteNull("rope_scaling");
            return;
        }

        json.WriteStartObject("rope_scaling");
        json.WriteString("rope_type", "llama3");
        json.WriteNumber("factor", scaling.Factor);
        json.WriteNumber("low_freq_factor", scaling.LowFrequencyFactor);
        json.WriteNumber("high_freq_factor", scaling.HighFrequencyFactor);
        json.WriteNumber("original_max_position_embeddings", scaling.OriginalContextLength);
        json.WriteEndObject();
    }

    private static string TypeName(WeightType type) => type switch
    {
        WeightType.Float32 => "float32",
        WeightType.BFloat16 => "bfloat16",
        WeightType.Float16 => "float16",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "The type must be a member of WeightType."),
    };
}
