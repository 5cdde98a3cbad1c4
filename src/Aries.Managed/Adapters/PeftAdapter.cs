using System.Text.Json;

namespace Aries.Managed;

/// <summary>Reads and writes LoRA adapters as folders of Hugging Face PEFT: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.</summary>
/// <remarks>A key that would change what the adapter computes, and that the engine does not implement, is an error: never ignored.</remarks>
internal static class PeftAdapter
{
    private const string KeyPrefix = "base_model.model.";
    private const string FixUnsupported = "Use a plain LoRA adapter, or merge this one into its model elsewhere.";

    private static readonly (string Module, LoraProjections Projection, Func<LlamaLayerWeights, Parameter> Weight)[] Modules =
    [
        ("q_proj", LoraProjections.Query, layer => layer.Query),
        ("k_proj", LoraProjections.Key, layer => layer.Key),
        ("v_proj", LoraProjections.Value, layer => layer.Value),
        ("o_proj", LoraProjections.Output, layer => layer.Output),
        ("gate_proj", LoraProjections.Gate, layer => layer.Gate),
        ("up_proj", LoraProjections.Up, layer => layer.Up),
        ("down_proj", LoraProjections.Down, layer => layer.Down),
    ];

    /// <summary>Reads an adapter for a model.</summary>
    /// <param name="folder">The adapter's folder.</param>
    /// <param name="model">The model that it changes.</param>
    /// <exception cref="ModelFormatException">A file is missing or malformed, the adapter is of another kind, or it belongs to a model of other shapes.</exception>
    public static LoraWeights Load(string folder, LlamaWeights model)
    {
        using ModelJson json = ModelJson.Read(Path.Combine(folder, "adapter_config.json"));
        LoraOptions options = ReadOptions(json.Root);
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, "adapter_model.safetensors"));
        HashSet<string> known = new(StringComparer.Ordinal);
        LoraLayerWeights[] layers = [.. model.Layers.Select(layer => ReadLayer(layer, options, file, known))];
        string? surplus = file.Header.Entries.Keys.FirstOrDefault(name => !known.Contains(name));
        return surplus is null
            ? new LoraWeights { Options = options, Layers = layers }
            : throw new ModelFormatException(
                file.Path,
                $"the adapter holds '{surplus}', for which the model has no place.",
                $"It belongs to another model (this one has {model.Layers.Count} layers), or it trains more than target_modules says.");
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
                adapter.Parameters().Select(parameter => SafetensorsTensor.Of(parameter, KeyPrefix + parameter.Name)),
                type);
            AtomicOutput.WriteFile(Path.Combine(aside, "adapter_config.json"), stream => WriteConfig(stream, adapter.Options, baseModel));
        });
    }

    private static LoraOptions ReadOptions(ModelJsonObject json)
    {
        if (json.Required("peft_type").Text() != "LORA")
        {
            throw json.Required("peft_type").Wrong("LORA", FixUnsupported);
        }

        if (json.Find("task_type") is { } task && task.Text() != "CAUSAL_LM")
        {
            throw task.Wrong("CAUSAL_LM", FixUnsupported);
        }

        if (json.Find("bias") is { } bias && bias.Text() != "none")
        {
            throw bias.Wrong("none", FixUnsupported);
        }

        string[] mustBeUnset =
        [
            "modules_to_save", "use_dora", "use_rslora", "rank_pattern", "alpha_pattern", "layers_to_transform", "layer_replication", "lora_bias",
            "fan_in_fan_out", "exclude_modules", "target_parameters", "trainable_token_indices", "alora_invocation_tokens", "use_qalora",
        ];
        foreach (string key in mustBeUnset)
        {
            if (json.Find(key) is { } value && !IsUnset(value))
            {
                throw value.Wrong("absent, false or empty", FixUnsupported);
            }
        }

        // Other initialisations (PiSSA, OLoRA, LoftQ, …) change the base weights, so their adapters do not fit the plain ones.
        if (json.Find("init_lora_weights") is { Kind: JsonValueKind.String } start && start.Text() != "gaussian")
        {
            throw start.Wrong("true, false or gaussian", FixUnsupported);
        }

        double alpha = json.Required("lora_alpha").Number();
        if (!(alpha > 0 && alpha <= float.MaxValue))
        {
            throw json.Required("lora_alpha").Wrong("greater than 0");
        }

        return new LoraOptions { Rank = json.Positive("r"), Alpha = (float)alpha, Targets = ReadTargets(json.Required("target_modules")) };
    }

    private static bool IsUnset(ModelJsonValue value) => value.Kind switch
    {
        JsonValueKind.False => true,
        JsonValueKind.Array => value.Element.GetArrayLength() == 0,
        JsonValueKind.Object => !value.Element.EnumerateObject().Any(),
        _ => false,
    };

    private static LoraProjections ReadTargets(ModelJsonValue value)
    {
        if (value.Kind == JsonValueKind.String && value.Text() == "all-linear")
        {
            return LoraProjections.All;
        }

        LoraProjections targets = LoraProjections.None;
        foreach (ModelJsonValue item in value.Items())
        {
            string module = item.Text();
            LoraProjections projection = Modules.FirstOrDefault(known => known.Module == module).Projection;
            targets |= projection != LoraProjections.None
                ? projection
                : throw item.Wrong($"one of {string.Join(", ", Modules.Select(known => known.Module))}", FixUnsupported);
        }

        return targets != LoraProjections.None ? targets : throw value.Wrong("a list of at least one module");
    }

    private static LoraLayerWeights ReadLayer(LlamaLayerWeights layer, LoraOptions options, SafetensorsFile file, HashSet<string> known)
    {
        LoraPair? Read(LoraProjections projection)
        {
            if (!options.Targets.HasFlag(projection))
            {
                return null;
            }

            Parameter weight = Modules.First(module => module.Projection == projection).Weight(layer);
            string stem = weight.Name[..^".weight".Length];
            return new LoraPair(
                ReadMatrix(file, $"{stem}.lora_A.weight", options.Rank, weight.Columns, known),
                ReadMatrix(file, $"{stem}.lora_B.weight", weight.Rows, options.Rank, known));
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

    private static Parameter ReadMatrix(SafetensorsFile file, string name, int rows, int columns, HashSet<string> known)
    {
        string key = KeyPrefix + name;
        known.Add(key);
        if (!file.Header.Entries.TryGetValue(key, out SafetensorsEntry? entry))
        {
            throw new ModelFormatException(
                file.Path, $"the adapter lacks '{key}' of shape [{rows}, {columns}].", "It belongs to another model, or its adapter_config.json to another adapter.");
        }

        // The shape is compared before anything of that size is allocated: the rank comes from the file.
        if (!entry.Shape.SequenceEqual([rows, columns]))
        {
            throw new ModelFormatException(
                file.Path,
                $"the tensor '{key}' has the shape {entry.ShapeText}, but the model and the rank ask for [{rows}, {columns}].",
                "Use the model that the adapter was trained on.");
        }

        Parameter parameter = new(name, rows, columns);
        file.ReadSingles(key, parameter.Values);
        return parameter;
    }

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
        foreach ((string module, LoraProjections projection, _) in Modules)
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
