using System.Text.Json;

namespace Aries.OnnxRuntime;

/// <summary>Writes <c>genai_config.json</c>: what ONNX Runtime GenAI must know of a model beside its graph.</summary>
internal static class GenAIConfigWriter
{
    /// <summary>Writes the configuration of a graph that <see cref="Graphs.LlamaGraph"/> made.</summary>
    public static void Write(Stream stream, LlamaConfig config)
    {
        using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" });
        json.WriteStartObject();
        json.WriteStartObject("model");
        json.WriteString("type", config.ModelType);
        json.WriteNumber("vocab_size", config.VocabularySize);
        json.WriteNumber("context_length", config.ContextLength);
        json.WriteNumber("bos_token_id", config.BeginTokenId ?? config.EndTokenIds[0]);
        json.WriteStartArray("eos_token_id");
        foreach (int id in config.EndTokenIds)
        {
            json.WriteNumberValue(id);
        }

        json.WriteEndArray();

        // No token is padding: where one is, GenAI takes the logits of an earlier row for a prompt that ends with it.
        json.WriteNumber("pad_token_id", -1);
        WriteDecoder(json, config);
        json.WriteEndObject();
        json.WriteStartObject("search");
        json.WriteBoolean("do_sample", false);
        json.WriteNumber("max_length", config.ContextLength);
        json.WriteBoolean("past_present_share_buffer", true);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteDecoder(Utf8JsonWriter json, LlamaConfig config)
    {
        json.WriteStartObject("decoder");
        json.WriteString("filename", GenAIModelWriter.ModelFile);
        json.WriteNumber("head_size", config.HeadSize);
        json.WriteNumber("hidden_size", config.HiddenSize);
        json.WriteNumber("num_attention_heads", config.HeadCount);
        json.WriteNumber("num_key_value_heads", config.KeyValueHeadCount);
        json.WriteNumber("num_hidden_layers", config.LayerCount);
        json.WriteStartObject("session_options");
        json.WriteStartArray("provider_options");
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteStartObject("inputs");
        json.WriteString("input_ids", "input_ids");
        json.WriteString("attention_mask", "attention_mask");
        json.WriteString("past_key_names", "past_key_values.%d.key");
        json.WriteString("past_value_names", "past_key_values.%d.value");
        json.WriteEndObject();
        json.WriteStartObject("outputs");
        json.WriteString("logits", "logits");
        json.WriteString("present_key_names", "present.%d.key");
        json.WriteString("present_value_names", "present.%d.value");
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
