using System.Text.Json;

namespace Aries.Managed;

/// <summary>Reads and writes LoRA adapters as folders of Hugging Face PEFT: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.</summary>
/// <remarks>A key that would change what the adapter computes, and that the engine does not implement, is an error: never ignored.</remarks>
internal static class PeftAdapter
{
    /// <summary>Reads an adapter for a model.</summary>
    /// <param name="folder">The adapter's folder.</param>
    /// <param name="model">The model that it changes.</param>
    /// <exception cref="ModelFormatException">A file is missing or malformed, the adapter is of another kind, or it belongs to a model of other shapes.</exception>
    public static LoraWeights Load(string folder, LlamaWeights model)
    {
        using PeftAdapterFile file = PeftAdapterFile.Open(folder);
        LoraLayerWeights[] layers = [.. model.Layers.Select(layer => ReadLayer(layer, file))];
        file.CheckAllRead(model.Layers.Count);
        return new LoraWeights { Options = file.Options, Layers = layers };
    }

    /// <summary>Writes an adapter's folder aside and renames it when it is whole and flushed to disk; an earlier folder of that name is replaced.</summary>
    /// <param name="folder">The folder to write.</param>
    /// <param name="adapter">The adapter.</param>
    /// <param name="baseModel">The name or path of the model that it changes, for other tools.</param>
    /// <param name="type">How the weights are stored.</param>
    /// <exception cref="IOException">The folder could not be written; nothing of it is left.</exception>
    public static void Save(string folder, LoraWeights adapter, string baseModel, WeightType type = WeightType.Float32)
    {
        AtomicOutput.WriteFolder(folder, aside =>
        {
            SafetensorsWriter.Write(
                Path.Combine(aside, "adapter_model.safetensors"),
                adapter.Parameters().Select(parameter => SafetensorsTensor.Of(parameter, PeftAdapterFile.KeyPrefix + parameter.Name)),
                type);
            AtomicOutput.WriteFile(Path.Combine(aside, "adapter_config.json"), stream => WriteConfig(stream, adapter.Options, baseModel));
        });
    }

    private static LoraLayerWeights ReadLayer(LlamaLayerWeights layer, PeftAdapterFile file)
    {
        LoraPair? Read(LoraProjections projection)
        {
            if (!file.Options.Targets.HasFlag(projection))
            {
                return null;
            }

            Parameter weight = Weight(layer, projection);
            string stem = weight.Name[..^".weight".Length];
            return new LoraPair(
                ReadMatrix(file, $"{stem}.lora_A.weight", file.Options.Rank, weight.Columns),
                ReadMatrix(file, $"{stem}.lora_B.weight", weight.Rows, file.Options.Rank));
        }

        return new LoraLayerWeights
        {
            Query = Read(LoraProjections.Query),
            Key = Read(LoraProjections.Key),
            Value = Read(LoraProjections.Value),
            Output = Read(LoraProjections.Output),
            Gate = Read(LoraProjections.Gate),
            Up = Read(LoraProjections.Up),
            Down = Read(LoraProjections.Down),
        };
    }

    private static Parameter Weight(LlamaLayerWeights layer, LoraProjections projection) => projection switch
    {
        LoraProjections.Query => layer.Query,
        LoraProjections.Key => layer.Key,
        LoraProjections.Value => layer.Value,
        LoraProjections.Output => layer.Output,
        LoraProjections.Gate => layer.Gate,
        LoraProjections.Up => layer.Up,
        LoraProjections.Down => layer.Down,
        _ => throw new ArgumentOutOfRangeException(nameof(projection), projection, "The projection must be one of a layer's seven."),
    };

    private static Parameter ReadMatrix(PeftAdapterFile file, string name, int rows, int columns) => new(name, rows, columns, file.Read(name, rows, columns));

    private static void WriteConfig(Stream stream, LoraOptions options, string baseModel)
    {
        using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" });
        json.WriteStartObject();
        json.WriteString("peft_type", "LORA");
        json.WriteString("task_type", "CAUSAL_LM");
        json.WriteString("base_model_name_or_path", baseModel);
        json.WriteNumber("r", options.Rank);
        json.WriteNumber("lora_alpha", options.Alpha);
        json.WriteNumber("lora_dropout", 0.0);
        json.WriteString("bias", "none");
        json.WriteStartArray("target_modules");
        foreach ((string module, LoraProjections projection) in PeftAdapterFile.Modules)
        {
            if (options.Targets.HasFlag(projection))
            {
                json.WriteStringValue(module);
            }
        }

        json.WriteEndArray();
        json.WriteBoolean("fan_in_fan_out", false);
        json.WriteBoolean("inference_mode", true);
        json.WriteBoolean("init_lora_weights", true);
        json.WriteNull("modules_to_save");
        json.WriteBoolean("use_rslora", false);
        json.WriteBoolean("use_dora", false);
        json.WriteEndObject();
    }
}
