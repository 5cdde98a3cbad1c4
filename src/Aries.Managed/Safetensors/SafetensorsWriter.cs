using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Aries.Managed;

/// <summary>Writes safetensors files whose bytes depend on names, shapes and values alone.</summary>
internal static class SafetensorsWriter
{
    private const int ChunkElements = 1 << 18;

    /// <summary>Writes a file aside, flushes it to disk and renames it over <paramref name="path"/>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="tensors">The tensors in any order; they are stored by name.</param>
    /// <param name="type">How the values are stored.</param>
    /// <exception cref="ArgumentException">A name comes twice, a shape does not fit its values, or a finite value is too large for <see cref="WeightType.Float16"/>.</exception>
    /// <exception cref="IOException">The file could not be written; nothing of it is left.</exception>
    public static void Write(string path, IEnumerable<SafetensorsTensor> tensors, WeightType type = WeightType.Float32)
    {
        SafetensorsTensor[] ordered = [.. tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal)];
        byte[] header = Header(ordered, type);
        AtomicOutput.WriteFile(path, stream =>
        {
            stream.Write(header);
            foreach (SafetensorsTensor tensor in ordered)
            {
                WriteValues(stream, tensor, type);
            }
        });
    }

    private static byte[] Header(SafetensorsTensor[] tensors, WeightType type)
    {
        (string typeName, int size) = type switch
        {
            WeightType.Float32 => ("F32", 4),
            WeightType.BFloat16 => ("BF16", 2),
            WeightType.Float16 => ("F16", 2),
            _ => throw new ArgumentOutOfRangeException(nameof(type), type, "The type must be a member of WeightType."),
        };

        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt");
            json.WriteEndObject();
            long offset = 0;
            string? previous = null;
            foreach (SafetensorsTensor tensor in tensors)
            {
                if (tensor.Name == previous || tensor.Name == "__metadata__")
                {
                    throw new ArgumentException($"The tensor name '{tensor.Name}' comes twice or is reserved.", nameof(tensors));
                }

                previous = tensor.Name;
                if (tensor.Shape.Aggregate(1L, (product, dimension) => checked(product * dimension)) != tensor.Values.Length)
                {
                    throw new ArgumentException(
                        string.Create(CultureInfo.InvariantCulture, $"The tensor '{tensor.Name}' has {tensor.Values.Length} values, which is not what its shape [{string.Join(", ", tensor.Shape)}] holds."),
                        nameof(tensors));
                }

                long end = offset + ((long)tensor.Values.Length * size);
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", typeName);
                json.WriteStartArray("shape");
                foreach (int dimension in tensor.Shape)
                {
                    json.WriteNumberValue(dimension);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(end);
                json.WriteEndArray();
                json.WriteEndObject();
                offset = end;
            }

            json.WriteEndObject();
        }

        // The data starts at a multiple of eight bytes, as the reference writer aligns it.
        int length = (buffer.WrittenCount + 7) / 8 * 8;
        byte[] header = new byte[sizeof(ulong) + length];
        header.AsSpan().Fill((byte)' ');
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)length);
        buffer.WrittenSpan.CopyTo(header.AsSpan(sizeof(ulong)));
        return header;
    }

    private static void WriteValues(Stream stream, SafetensorsTensor tensor, WeightType type)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkElements * sizeof(float));
        try
        {
            for (int done = 0; done < tensor.Values.Length; done += ChunkElements)
            {
                ReadOnlySpan<float> values = tensor.Values.Span.Slice(done, Math.Min(ChunkElements, tensor.Values.Length - done));
                stream.Write(Convert(values, buffer, tensor.Name, type));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static ReadOnlySpan<byte> Convert(ReadOnlySpan<float> values, byte[] buffer, string name, WeightType type)
    {
        switch (type)
        {
            case WeightType.Float32:
                for (int index = 0; index < values.Length; index++)
                {
                    BinaryPrimitives.WriteSingleLittleEndian(buffer.AsSpan(index * 4), values[index]);
                }

                return buffer.AsSpan(0, values.Length * 4);
            case WeightType.BFloat16:
                for (int index = 0; index < values.Length; index++)
                {
                    BinaryPrimitives.WriteUInt16LittleEndian(buffer.AsSpan(index * 2), BFloat16Bits.Round(values[index]));
                }

                return buffer.AsSpan(0, values.Length * 2);
            default:
                Span<Half> halves = MemoryMarshal.Cast<byte, Half>(buffer.AsSpan(0, values.Length * 2));
                TensorPrimitives.ConvertToHalf(values, halves);
                for (int index = 0; index < halves.Length; index++)
                {
                    if (!Half.IsFinite(halves[index]) && float.IsFinite(values[index]))
                    {
                        throw new ArgumentException(
                            string.Create(CultureInfo.InvariantCulture, $"The tensor '{name}' holds {values[index]}, which is beyond the range of Float16. Save as BFloat16 or Float32."),
                            nameof(values));
                    }

                    BinaryPrimitives.WriteHalfLittleEndian(buffer.AsSpan(index * 2), halves[index]);
                }

                return buffer.AsSpan(0, values.Length * 2);
        }
    }
}
