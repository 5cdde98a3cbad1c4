using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Aries;

/// <summary>Names a checkpoint by its content.</summary>
/// <remarks>
/// <para>
/// The hash covers the weights (name, shape, element type and bytes of every tensor), the configuration, the tokenizer, its chat template, and the adapter.
/// It changes when one of them changes, and does not depend on the folder's path, on times, on how weights are split into shards,
/// or on the spacing and order of keys in JSON. Keys that record where a model came from are left out: <c>_name_or_path</c>,
/// <c>transformers_version</c>, <c>base_model_name_or_path</c>, <c>inference_mode</c>.
/// </para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public static class CheckpointFingerprint
{
    private const int ChunkBytes = 1 << 20;

    private static readonly string[] JsonFiles =
        ["generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.json"];

    private static readonly string[] OtherFiles = ["tokenizer.bin", "tokenizer.model", "chat_template.jinja"];

    private static readonly string[] IgnoredKeys = ["_name_or_path", "transformers_version", "base_model_name_or_path", "inference_mode"];

    /// <summary>Computes, on another thread, the fingerprint of a checkpoint and of a template that takes the place of the files' own.</summary>
    internal static Task<string> ComputeAsync(PolicyCheckpoint checkpoint, ChatTemplate? template, CancellationToken cancellationToken) => Task.Run(
        () =>
        {
            string files = Compute(checkpoint.ModelPath, checkpoint.AdapterPath, cancellationToken);
            return template is null ? files : template.Fingerprint(files);
        },
        cancellationToken);

    /// <summary>Computes the fingerprint of a checkpoint.</summary>
    /// <param name="modelPath">A Hugging Face model folder, a model folder of ONNX Runtime GenAI, or a llama2.c checkpoint file.</param>
    /// <param name="adapterPath">A PEFT adapter folder, or null for none.</param>
    /// <param name="cancellationToken">Cancels the reading; looked at once a megabyte.</param>
    /// <returns>SHA-256 in 64 lower-case hexadecimal digits.</returns>
    /// <exception cref="ArgumentException"><paramref name="modelPath"/> is null, empty or white space.</exception>
    /// <exception cref="ModelFormatException">A needed file is missing or malformed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static string Compute(string modelPath, string? adapterPath = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(modelPath);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        if (File.Exists(modelPath))
        {
            AddFile(hash, "model", modelPath, cancellationToken);
            if (Llama2cTokenizerFile.Find(modelPath) is { } tokenizer)
            {
                AddFile(hash, "tokenizer.bin", tokenizer, cancellationToken);
            }
        }
        else
        {
            AddFolder(hash, modelPath, cancellationToken);
        }

        if (adapterPath is not null)
        {
            AddJson(hash, Path.Combine(adapterPath, "adapter_config.json"));
            using SafetensorsFolder weights = SafetensorsFolder.Open(adapterPath, "adapter_model");
            AddTensors(hash, weights, cancellationToken);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void AddFolder(IncrementalHash hash, string folder, CancellationToken cancellationToken)
    {
        bool isGenAI = File.Exists(Path.Combine(folder, GenAIConfig.FileName));
        AddJson(hash, Path.Combine(folder, isGenAI ? GenAIConfig.FileName : "config.json"));
        foreach (string name in JsonFiles)
        {
            if (File.Exists(Path.Combine(folder, name)))
            {
                AddJson(hash, Path.Combine(folder, name));
            }
        }

        foreach (string name in OtherFiles)
        {
            if (File.Exists(Path.Combine(folder, name)))
            {
                AddFile(hash, name, Path.Combine(folder, name), cancellationToken);
            }
        }

        if (isGenAI)
        {
            // The graphs, what is named after them, and the files that hold their weights under names of any kind.
            string[] names = [.. Directory.GetFiles(folder, "*.onnx*").Select(path => Path.GetFileName(path))];
            IEnumerable<string> weightNames = names.Where(name => name.EndsWith(".onnx", StringComparison.Ordinal)).SelectMany(name => GraphDataFiles.Read(Path.Combine(folder, name)));
            foreach (string name in names.Union(weightNames).Order(StringComparer.Ordinal))
            {
                AddFile(hash, name, Path.Combine(folder, name), cancellationToken);
            }

            return;
        }

        using SafetensorsFolder weights = SafetensorsFolder.Open(folder);
        AddTensors(hash, weights, cancellationToken);
    }

    private static void AddTensors(IncrementalHash hash, SafetensorsFolder weights, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            foreach (string name in weights.Names.Order(StringComparer.Ordinal))
            {
                _ = weights.TryGet(name, out SafetensorsFile file, out SafetensorsEntry entry);
                AddText(hash, $"{name} {entry.TypeName} {entry.ShapeText}");
                for (long done = 0; done < entry.ByteLength;)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    Span<byte> chunk = buffer.AsSpan(0, (int)Math.Min(ChunkBytes, entry.ByteLength - done));
                    file.ReadBytes(entry, done, chunk);
                    hash.AppendData(chunk);
                    done += chunk.Length;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static void AddFile(IncrementalHash hash, string name, string path, CancellationToken cancellationToken)
    {
        AddText(hash, name);
        using FileStream stream = File.OpenRead(path);
        AddNumber(hash, stream.Length);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            for (int read = stream.Read(buffer); read > 0; read = stream.Read(buffer))
            {
                cancellationToken.ThrowIfCancellationRequested();
                hash.AppendData(buffer.AsSpan(0, read));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static void AddJson(IncrementalHash hash, string path)
    {
        AddText(hash, Path.GetFileName(path));
        using ModelJson json = ModelJson.Read(path);
        AddValue(hash, json.Root.Value, isRoot: true);
    }

    private static void AddValue(IncrementalHash hash, ModelJsonValue value, bool isRoot = false)
    {
        AddNumber(hash, (long)value.Kind);
        switch (value.Kind)
        {
            case JsonValueKind.Object:
                (string Name, ModelJsonValue Value)[] members =
                    [.. value.Object().Members().Where(member => !(isRoot && IgnoredKeys.Contains(member.Name))).OrderBy(member => member.Name, StringComparer.Ordinal)];
                AddNumber(hash, members.Length);
                foreach ((string name, ModelJsonValue member) in members)
                {
                    AddText(hash, name);
                    AddValue(hash, member);
                }

                break;
            case JsonValueKind.Array:
                AddNumber(hash, value.Element.GetArrayLength());
                foreach (ModelJsonValue item in value.Items())
                {
                    AddValue(hash, item);
                }

                break;
            case JsonValueKind.String:
                AddText(hash, value.Text());
                break;
            default:
                AddText(hash, value.Element.GetRawText());
                break;
        }
    }

    // Lengths and counts go before what they count, so that no two different contents give the same bytes.
    private static void AddText(IncrementalHash hash, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        AddNumber(hash, bytes.Length);
        hash.AppendData(bytes);
    }

    private static void AddNumber(IncrementalHash hash, long number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        hash.AppendData(bytes);
    }
}
