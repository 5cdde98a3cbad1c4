using System.Globalization;
using Google.Protobuf;

namespace Aries.OnnxRuntime.Graphs;

/// <summary>Writes the large tensors of a model into the file beside it, one after the other, as they are computed.</summary>
/// <remarks>A protobuf message ends at 2 GB, and what lies in a file of its own is mapped into memory instead of copied.</remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class ExternalData(Stream stream, string fileName, OnnxFloatType floatType)
{
    // Of a cache line: a kernel may read the mapped file in place.
    private const int Alignment = 64;

    // How many floats are rounded and written at a time: a span of bytes ends at 2 GiB, and a tensor need not.
    private const int PieceLength = 1 << 20;

    /// <summary>Gets the type of the floats.</summary>
    public OnnxFloatType FloatType => floatType;

    /// <summary>Gets the element type that stands for <see cref="FloatType"/> in a graph.</summary>
    public TensorProto.Types.DataType ElementType => floatType switch
    {
        OnnxFloatType.Float16 => TensorProto.Types.DataType.Float16,
        OnnxFloatType.BFloat16 => TensorProto.Types.DataType.Bfloat16,
        _ => TensorProto.Types.DataType.Float,
    };

    /// <summary>Makes a small constant that stands in the graph itself.</summary>
    public static TensorProto Inline(string name, TensorProto.Types.DataType type, ReadOnlySpan<byte> bytes, params long[] shape)
    {
        TensorProto tensor = new() { Name = name, DataType = (int)type, RawData = ByteString.CopyFrom(bytes) };
        tensor.Dims.AddRange(shape);
        return tensor;
    }

    /// <summary>Makes a tensor without elements: what an optional input is when nothing is given for it.</summary>
    public TensorProto Empty(string name, params long[] shape) => Inline(name, ElementType, [], shape);

    /// <summary>Writes floats in <see cref="FloatType"/>.</summary>
    /// <exception cref="OverflowException">A value is beyond the range of half precision.</exception>
    public TensorProto Write(string name, ReadOnlySpan<float> values, params long[] shape)
    {
        long offset = Align();
        for (ReadOnlySpan<float> rest = values; !rest.IsEmpty;)
        {
            ReadOnlySpan<float> piece = rest[..Math.Min(PieceLength, rest.Length)];
            stream.Write(((GraphFloatType)ElementType).Bytes(piece, name));
            rest = rest[piece.Length..];
        }

        return Tensor(name, ElementType, offset, shape);
    }

    /// <summary>Writes bytes that are in the form of their type already.</summary>
    public TensorProto WriteBytes(string name, TensorProto.Types.DataType type, ReadOnlySpan<byte> bytes, params long[] shape)
    {
        long offset = Align();
        stream.Write(bytes);
        return Tensor(name, type, offset, shape);
    }

    private long Align()
    {
        while (stream.Position % Alignment != 0)
        {
            stream.WriteByte(0);
        }

        return stream.Position;
    }

    // Its bytes are those from the offset to where the stream now is.
    private TensorProto Tensor(string name, TensorProto.Types.DataType type, long offset, long[] shape)
    {
        TensorProto tensor = new() { Name = name, DataType = (int)type, DataLocation = TensorProto.Types.DataLocation.External };
        tensor.Dims.AddRange(shape);
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = fileName });
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = offset.ToString(CultureInfo.InvariantCulture) });
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = (stream.Position - offset).ToString(CultureInfo.InvariantCulture) });
        return tensor;
    }
}
