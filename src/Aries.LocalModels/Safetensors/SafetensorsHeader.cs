using System.Text.Json;

namespace Aries;

/// <summary>The checked header of a safetensors file.</summary>
/// <remarks>
/// The format: <see href="https://github.com/huggingface/safetensors#format"/>. Eight bytes of length, a JSON object of names, then the data.
/// As the format demands, tensors cover the data without a gap or an overlap, and no name comes twice.
/// </remarks>
internal sealed class SafetensorsHeader
{
    /// <summary>The format's own limit on the length of the JSON, in bytes.</summary>
    public const int MaximumLength = 100_000_000;

    private const string FixDamaged = "The file is damaged or not a safetensors file: download or write it again.";

    public required IReadOnlyDictionary<string, SafetensorsEntry> Entries { get; init; }

    public required IReadOnlyDictionary<string, string> Metadata { get; init; }

    /// <summary>Parses the JSON of a header.</summary>
    /// <param name="json">The header, without the eight bytes of its length.</param>
    /// <param name="dataLength">How many bytes follow the header in the file.</param>
    /// <param name="file">The path, for messages.</param>
    /// <exception cref="ModelFormatException">The header breaks a rule of the format.</exception>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, long dataLength, string file)
    {
        Dictionary<string, SafetensorsEntry> entries = new(StringComparer.Ordinal);
        Dictionary<string, string> metadata = new(StringComparer.Ordinal);
        try
        {
            Utf8JsonReader reader = new(json);
            Expect(ref reader, JsonTokenType.StartObject, file);
            bool hasMetadata = false;
            while (Next(ref reader, file) == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                if (name == "__metadata__")
                {
                    if (hasMetadata)
                    {
                        throw Damaged(file, "the name '__metadata__' comes twice.");
                    }

                    hasMetadata = true;
                    ReadMetadata(ref reader, metadata, file);
                }
                else if (!entries.TryAdd(name, ReadEntry(ref reader, name, dataLength, file)))
                {
                    throw Damaged(file, $"the tensor '{name}' is listed twice.");
                }
            }

            if (reader.Read())
            {
                throw Damaged(file, "the header goes on after its JSON object.");
            }
        }
        catch (JsonException exception)
        {
            throw new ModelFormatException(file, $"the header is not valid JSON ({exception.Message})", FixDamaged, exception);
        }
        catch (InvalidOperationException exception)
        {
            // Utf8JsonReader.GetString reports a string that is not valid Unicode this way.
            throw new ModelFormatException(file, "a name in the header is not valid Unicode.", FixDamaged, exception);
        }

        CheckCoverage(entries, dataLength, file);
        return new SafetensorsHeader { Entries = entries, Metadata = metadata };
    }

    private static SafetensorsEntry ReadEntry(ref Utf8JsonReader reader, string name, long dataLength, string file)
    {
        Expect(ref reader, JsonTokenType.StartObject, file);
        string? typeName = null;
        List<long>? shape = null;
        List<long>? offsets = null;
        while (Next(ref reader, file) == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            switch (key)
            {
                case "dtype" when typeName is null:
                    Expect(ref reader, JsonTokenType.String, file);
                    typeName = reader.GetString()!;
                    break;
                case "shape" when shape is null:
                    shape = ReadIntegers(ref reader, name, key, file);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadIntegers(ref reader, name, key, file);
                    break;
                default:
                    throw Damaged(file, $"the tensor '{name}' has a second or unknown key '{key}'.");
            }
        }

        if (typeName is null || shape is null || offsets is null)
        {
            throw Damaged(file, $"the tensor '{name}' lacks dtype, shape or data_offsets.");
        }

        if (offsets.Count != 2 || offsets[0] > offsets[1] || offsets[1] > dataLength)
        {
            throw Damaged(file, $"the tensor '{name}' has the data_offsets [{string.Join(", ", offsets)}], but the file holds {dataLength} bytes of data.");
        }

        (SafetensorsType type, int bits) = TypeOf(typeName, name, file);
        long byteLength = offsets[1] - offsets[0];
        SafetensorsEntry entry = new(name, type, typeName, shape, offsets[0], byteLength);
        if (ByteLengthOf(shape, bits) != byteLength)
        {
            throw Damaged(file, $"the tensor '{name}' of {typeName} {entry.ShapeText} has {byteLength} bytes of data, which is not what its shape needs.");
        }

        return entry;
    }

    /// <summary>Returns the bytes that a shape needs, or −1 where that is no whole number or too large for one.</summary>
    private static long ByteLengthOf(List<long> shape, int bits)
    {
        Int128 total = bits;
        foreach (long dimension in shape)
        {
            if (dimension == 0)
            {
                return 0;
            }

            total *= dimension;
            if (total > long.MaxValue)
            {
                return -1;
            }
        }

        return total % 8 == 0 ? (long)(total / 8) : -1;
    }

    private static (SafetensorsType Type, int Bits) TypeOf(string typeName, string name, string file) => typeName switch
    {
        "F32" => (SafetensorsType.Float32, 32),
        "F16" => (SafetensorsType.Float16, 16),
        "BF16" => (SafetensorsType.BFloat16, 16),
        "F64" => (SafetensorsType.Float64, 64),
        "I64" or "U64" or "C64" => (SafetensorsType.Other, 64),
        "I32" or "U32" => (SafetensorsType.Other, 32),
        "I16" or "U16" => (SafetensorsType.Other, 16),
        "BOOL" or "U8" or "I8" or "F8_E5M2" or "F8_E4M3" or "F8_E8M0" => (SafetensorsType.Other, 8),
        "F4" => (SafetensorsType.Other, 4),
        _ => throw Damaged(file, $"the tensor '{name}' has the unknown dtype '{typeName}'."),
    };

    private static List<long> ReadIntegers(ref Utf8JsonReader reader, string name, string key, string file)
    {
        Expect(ref reader, JsonTokenType.StartArray, file);
        List<long> values = [];
        while (Next(ref reader, file) == JsonTokenType.Number)
        {
            if (!reader.TryGetInt64(out long value) || value < 0)
            {
                throw Damaged(file, $"the tensor '{name}' has a {key} that is not made of whole numbers of 0 or more.");
            }

            values.Add(value);
        }

        return reader.TokenType == JsonTokenType.EndArray
            ? values
            : throw Damaged(file, $"the tensor '{name}' has a {key} that is not a list of numbers.");
    }

    private static void ReadMetadata(ref Utf8JsonReader reader, Dictionary<string, string> metadata, string file)
    {
        Expect(ref reader, JsonTokenType.StartObject, file);
        while (Next(ref reader, file) == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            Expect(ref reader, JsonTokenType.String, file);
            if (!metadata.TryAdd(key, reader.GetString()!))
            {
                throw Damaged(file, $"the metadata key '{key}' comes twice.");
            }
        }
    }

    private static void CheckCoverage(Dictionary<string, SafetensorsEntry> entries, long dataLength, string file)
    {
        long end = 0;
        foreach (SafetensorsEntry entry in entries.Values.OrderBy(entry => entry.Start).ThenBy(entry => entry.ByteLength))
        {
            if (entry.Start != end)
            {
                string what = entry.Start < end ? "overlaps the tensor before it" : $"leaves a gap of {entry.Start - end} bytes before it";
                throw Damaged(file, $"the tensor '{entry.Name}' at byte {entry.Start} {what}.");
            }

            end = entry.Start + entry.ByteLength;
        }

        if (end != dataLength)
        {
            throw Damaged(file, $"the tensors end at byte {end} of the data, but the file holds {dataLength} bytes of data.");
        }
    }

    private static JsonTokenType Next(ref Utf8JsonReader reader, string file) =>
        reader.Read() ? reader.TokenType : throw Damaged(file, "the header ends too early.");

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type, string file)
    {
        JsonTokenType found = Next(ref reader, file);
        if (found != type)
        {
            throw Damaged(file, $"the header has {found} at byte {reader.TokenStartIndex}, where the format wants {type}.");
        }
    }

    private static ModelFormatException Damaged(string file, string problem) => new(file, problem, FixDamaged);
}
