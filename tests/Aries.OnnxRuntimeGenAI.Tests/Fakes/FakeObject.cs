using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Aries.Managed;

namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>An object that the fake library has handed out.</summary>
internal abstract class FakeObject
{
    private readonly List<nint> _memory = [];

    /// <summary>Gets what must outlive the object.</summary>
    public List<FakeObject> Owners { get; } = [];

    /// <summary>Gets or sets how many objects there are that this one must outlive.</summary>
    public int DependentCount { get; set; }

    /// <summary>Gets who may be in the object's functions: one thread at a time.</summary>
    public FakeTurn? Turn { get; init; }

    /// <summary>Allocates memory that goes with the object.</summary>
    public unsafe nint Allocate(int byteCount)
    {
        nint memory = (nint)NativeMemory.Alloc((nuint)Math.Max(byteCount, 1));
        _memory.Add(memory);
        return memory;
    }

    public unsafe nint Allocate(ReadOnlySpan<byte> content)
    {
        nint memory = Allocate(content.Length);
        content.CopyTo(new Span<byte>((void*)memory, content.Length));
        return memory;
    }

    /// <summary>Frees the object's memory; what still reads it reads nonsense.</summary>
    public unsafe void Free()
    {
        foreach (nint memory in _memory)
        {
            NativeMemory.Free((void*)memory);
        }

        _memory.Clear();
    }
}

/// <summary>Who is in a model's functions.</summary>
internal sealed class FakeTurn
{
    public int ThreadId;
}

/// <summary>A failed result.</summary>
internal sealed class FakeResult : FakeObject
{
    public FakeResult(string message) => Message = Allocate(Encoding.UTF8.GetBytes(message + '\0'));

    public nint Message { get; }
}

/// <summary>A configuration: the folder's file with what was laid over it.</summary>
internal sealed class FakeConfig(string path) : FakeObject
{
    private static readonly string[] SearchKeys =
    [
        "do_sample", "min_length", "max_length", "batch_size", "num_beams", "num_return_sequences", "repetition_penalty", "top_k", "top_p", "temperature", "early_stopping",
        "no_repeat_ngram_size", "length_penalty", "diversity_penalty", "past_present_share_buffer", "random_seed", "chunk_size",
    ];

    public string Path => path;

    public JsonObject Root { get; } = JsonNode.Parse(File.ReadAllText(System.IO.Path.Combine(path, "genai_config.json")))!.AsObject();

    public List<string>? Providers { get; set; }

    public Dictionary<string, string> ProviderOptions { get; } = new(StringComparer.Ordinal);

    public void Overlay(string json) => Merge(Root, JsonNode.Parse(json)!.AsObject(), "");

    private static void Merge(JsonObject target, JsonObject source, string section)
    {
        foreach ((string key, JsonNode? value) in source)
        {
            if (section == "search" && !SearchKeys.Contains(key))
            {
                throw new FakeNativeException($"Unknown value \"{key}\" at line 1");
            }

            if (value is JsonObject inner && target[key] is JsonObject existing)
            {
                Merge(existing, inner, key);
            }
            else
            {
                target[key] = value?.DeepClone();
            }
        }
    }
}

internal sealed class FakeModel : FakeObject
{
    public required JsonObject Root { get; init; }

    public required string Path { get; init; }

    public required string Device { get; init; }

    public required FakeNetwork Network { get; init; }

    public int PadTokenId => Root["model"]!["pad_token_id"]!.GetValue<int>();

    public int ContextLength => Root["model"]!["context_length"]!.GetValue<int>();

    public int[] EndTokenIds => Root["model"]!["eos_token_id"] is JsonArray list ? [.. list.Select(item => item!.GetValue<int>())] : [Root["model"]!["eos_token_id"]!.GetValue<int>()];

    public double Search(string key, double otherwise) => Root["search"]?[key] is JsonValue value ? value.GetValueKind() switch
    {
        JsonValueKind.True => 1,
        JsonValueKind.False => 0,
        _ => value.GetValue<double>(),
    } : otherwise;
}

internal sealed class FakeParams : FakeObject
{
    public Dictionary<string, double> Values { get; } = new(StringComparer.Ordinal);

    public double this[string name] => Values[name];
}

internal sealed class FakeTokenizer : FakeObject
{
    public required ITextTokenizer Tokenizer { get; init; }

    public required string Path { get; init; }

    public nint EndTokenIds { get; set; }
}

internal sealed class FakeStream(ITextTokenizer tokenizer) : FakeObject
{
    private readonly TokenStreamDecoder _decoder = new(tokenizer);

    public nint Decode(int token)
    {
        // The text of the call before is gone.
        Free();
        return Allocate(Encoding.UTF8.GetBytes(_decoder.Append(token).ToString() + '\0'));
    }
}

internal sealed class FakeSequences : FakeObject
{
    public List<(nint Ids, int Count)> Sequences { get; } = [];

    public void Add(ReadOnlySpan<int> ids) => Sequences.Add((Allocate(MemoryMarshal.AsBytes(ids)), ids.Length));

    public unsafe int[] this[int index] => new ReadOnlySpan<int>((void*)Sequences[index].Ids, Sequences[index].Count).ToArray();
}

internal sealed class FakeTensor : FakeObject
{
    public required long[] Shape { get; init; }

    public required int Type { get; init; }

    public nint Data { get; set; }
}

internal sealed class FakeAdapters : FakeObject
{
    public Dictionary<string, FakeAdapterFile> Loaded { get; } = new(StringComparer.Ordinal);
}
