using System.Globalization;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>An execution provider of ONNX Runtime, by the name and with the options that <c>genai_config.json</c> gives it.</summary>
/// <remarks>Names and options: <see href="https://onnxruntime.ai/docs/genai/reference/config.html"/>. The native library checks both when a model is loaded.</remarks>
/// <threadsafety>Immutable.</threadsafety>
public sealed record GenAIExecutionProvider
{
    /// <summary>Creates a provider.</summary>
    /// <param name="name">The name, such as <c>cuda</c> or <c>dml</c>.</param>
    /// <param name="options">Its options; null for none. Copied.</param>
    /// <exception cref="ArgumentException">The name is null or empty, or an option has no name or no value.</exception>
    public GenAIExecutionProvider(string name, IReadOnlyDictionary<string, string>? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        Name = name;
        Options = options is null ? [] : new Dictionary<string, string>(options, StringComparer.Ordinal);
        if (Options.FirstOrDefault(option => string.IsNullOrWhiteSpace(option.Key) || option.Value is null) is { Key: not null } bad)
        {
            throw new ArgumentException($"The option '{bad.Key}' of the provider {name} needs a name and a value.", nameof(options));
        }
    }

    /// <summary>Gets the name.</summary>
    public string Name { get; }

    /// <summary>Gets the options; values are texts, numbers and switches too.</summary>
    public IReadOnlyDictionary<string, string> Options { get; }

    /// <summary>Gets whether the provider records a step once and replays it: <c>enable_cuda_graph</c> is <c>1</c>.</summary>
    internal bool UsesGraph => Options.TryGetValue("enable_cuda_graph", out string? value) && value == "1";

    /// <summary>Makes the provider that computes on a GPU of NVIDIA.</summary>
    /// <param name="deviceId">The GPU, from 0, among those that <c>CUDA_VISIBLE_DEVICES</c> leaves.</param>
    /// <param name="memoryLimit">
    /// The largest arena of the session, in bytes; null for no limit. Keys and values are allocated beside it: <see cref="GenAIPolicyOptions.MaxBatchSize"/> and
    /// <see cref="GenAIPolicyOptions.ContextLength"/> bound those.
    /// </param>
    /// <param name="usesGraph">Whether a step is recorded as a CUDA graph and replayed. The model's graph must allow it; requests then run one at a time.</param>
    /// <exception cref="ArgumentOutOfRangeException">The device is negative, or the limit is not positive.</exception>
    public static GenAIExecutionProvider Cuda(int deviceId = 0, long? memoryLimit = null, bool usesGraph = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(deviceId);
        if (memoryLimit is <= 0)
        {
            throw new ArgumentOutOfRangeException(nameof(memoryLimit), memoryLimit, "The memory limit must be 1 byte or more; null sets none.");
        }

        Dictionary<string, string> options = new(StringComparer.Ordinal)
        {
            ["device_id"] = deviceId.ToString(CultureInfo.InvariantCulture),
            ["enable_cuda_graph"] = usesGraph ? "1" : "0",
        };
        if (memoryLimit is { } limit)
        {
            options["gpu_mem_limit"] = limit.ToString(CultureInfo.InvariantCulture);
        }

        return new GenAIExecutionProvider("cuda", options);
    }

    /// <summary>Returns whether two providers have one name and equal options.</summary>
    /// <param name="other">The other provider.</param>
    public bool Equals(GenAIExecutionProvider? other) =>
        other is not null && Name == other.Name && Options.Count == other.Options.Count
        && Options.All(option => other.Options.TryGetValue(option.Key, out string? value) && value == option.Value);

    /// <inheritdoc />
    public override int GetHashCode() => HashCode.Combine(Name, Options.Count);

    /// <summary>Returns the name and the options in the order of their names.</summary>
    public override string ToString() =>
        $"{Name}({string.Join(", ", Options.OrderBy(option => option.Key, StringComparer.Ordinal).Select(option => $"{option.Key}={option.Value}"))})";
}
