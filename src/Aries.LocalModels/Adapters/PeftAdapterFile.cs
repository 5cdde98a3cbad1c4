using System.Text.Json;

namespace Aries;

/// <summary>An open LoRA adapter in the folder layout of Hugging Face PEFT: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.</summary>
/// <remarks>A key that would change what the adapter computes, and that the engines do not implement, is an error: never ignored.</remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class PeftAdapterFile : IDisposable
{
    /// <summary>What PEFT writes before the name of every tensor.</summary>
    public const string KeyPrefix = "base_model.model.";

    private const string FixUnsupported = "Use a plain LoRA adapter, or merge this one into its model elsewhere.";

    private readonly SafetensorsFile _file;
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    private PeftAdapterFile(LoraOptions options, SafetensorsFile file)
    {
        (Options, _file) = (options, file);
    }

    /// <summary>Gets the modules that an adapter may change, in the order of a layer's computation.</summary>
    public static IReadOnlyList<(string Module, LoraProjections Projection)> Modules { get; } =
    [
        ("q_proj", LoraProjections.Query),
        ("k_proj", LoraProjections.Key),
        ("v_proj", LoraProjections.Value),
        ("o_proj", LoraProjections.Output),
        ("gate_proj", LoraProjections.Gate),
        ("up_proj", LoraProjections.Up),
        ("down_proj", LoraProjections.Down),
    ];

    /// <summary>Gets the rank, the scale and the targets.</summary>
    public LoraOptions Options { get; }

    /// <summary>Opens an adapter's folder and checks its configuration.</summary>
    /// <exception cref="ModelFormatException">A file is missing or malformed, or the adapter is of another kind.</exception>
    public static PeftAdapterFile Open(string folder)
    {
        using ModelJson json = ModelJson.Read(Path.Combine(folder, "adapter_config.json"));
        LoraOptions options = ReadOptions(json.Root);
        return new PeftAdapterFile(options, SafetensorsFile.Open(Path.Combine(folder, "adapter_model.safetensors")));
    }

    /// <summary>Reads a matrix of the adapter.</summary>
    /// <param name="name">Its name without <see cref="KeyPrefix"/>, such as <c>model.layers.0.self_attn.q_proj.lora_A.weight</c>.</param>
    /// <param name="rows">The rows that the model and the rank ask for.</param>
    /// <param name="columns">The columns.</param>
    /// <returns>The values. Shape [rows, columns], row-major.</returns>
    /// <exception cref="ModelFormatException">There is no such matrix, or it has another shape.</exception>
    public float[] Read(string name, int rows, int columns)
    {
        string key = KeyPrefix + name;
        _read.Add(key);
        if (!_file.Header.Entries.TryGetValue(key, out SafetensorsEntry? entry))
        {
            throw new ModelFormatException(
                _file.Path, $"the adapter lacks '{key}' of shape [{rows}, {columns}].", "It belongs to another model, or its adapter_config.json to another adapter.");
        }

        // The shape is compared before anything of that size is allocated: the rank comes from the file.
        if (!entry.Shape.SequenceEqual([rows, columns]))
        {
            throw new ModelFormatException(
                _file.Path,
                $"the tensor '{key}' has the shape {entry.ShapeText}, but the model and the rank ask for [{rows}, {columns}].",
                "Use the model that the adapter was trained on.");
        }

        float[] values = new float[checked(rows * columns)];
        _file.ReadSingles(key, values);
        return values;
    }

    /// <summary>Checks that the adapter holds nothing but what was read.</summary>
    /// <param name="layerCount">The number of layers of the model, for the message.</param>
    /// <exception cref="ModelFormatException">There is another tensor.</exception>
    public void CheckAllRead(int layerCount)
    {
        if (_file.Header.Entries.Keys.FirstOrDefault(name => !_read.Contains(name)) is { } surplus)
        {
            throw new ModelFormatException(
                _file.Path,
                $"the adapter holds '{surplus}', for which the model has no place.",
                $"It belongs to another model (this one has {layerCount} layers), or it trains more than target_modules says.");
        }
    }

    public void Dispose() => _file.Dispose();

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
}
