namespace Aries;

/// <summary>A protobuf file that is walked field by field; what is not asked for is skipped without being read.</summary>
/// <remarks>The encoding: <see href="https://protobuf.dev/programming-guides/encoding/"/>.</remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class ProtobufFile : IDisposable
{
    private const int LongestName = 1 << 16;

    private readonly FileStream _stream;

    public ProtobufFile(string path)
    {
        _stream = File.OpenRead(path);
        Message = new ProtobufField(this, 0, 0, 0, _stream.Length);
    }

    /// <summary>Gets the whole file, as the message that it is.</summary>
    public ProtobufField Message { get; }

    public void Dispose() => _stream.Dispose();

    /// <summary>Walks the fields between two positions.</summary>
    /// <exception cref="ModelFormatException">The bytes are no message.</exception>
    public IEnumerable<ProtobufField> Fields(long start, long end)
    {
        for (long at = start; at < end;)
        {
            _stream.Position = at;
            ulong tag = ReadVarint(end);
            ulong value = (tag & 7) is 0 or 2 ? ReadVarint(end) : 0;
            long from = _stream.Position;
            ulong length = (tag & 7) switch
            {
                0 => 0,
                1 => 8,
                2 => value,
                5 => 4,
                _ => throw Damaged($"a field of the unknown wire type {tag & 7}"),
            };
            if (length > (ulong)(end - from))
            {
                throw Damaged($"a field of {length} bytes, though only {end - from} are left");
            }

            at = from + (long)length;
            yield return new ProtobufField(this, tag >> 3, value, from, at);
        }
    }

    /// <summary>Reads the bytes between two positions.</summary>
    /// <exception cref="ModelFormatException">They are more than a name has.</exception>
    public byte[] Read(long start, long end)
    {
        byte[] bytes = new byte[end - start <= LongestName ? (int)(end - start) : throw Damaged($"a name of {end - start} bytes")];
        _stream.Position = start;
        _stream.ReadExactly(bytes);
        return bytes;
    }

    public ModelFormatException Damaged(string what) =>
        new(_stream.Name, $"the graph holds {what}.", "The file is damaged or no ONNX graph: write or download the model folder again.");

    private ulong ReadVarint(long end)
    {
        ulong value = 0;
        for (int shift = 0; shift < 64 && _stream.Position < end; shift += 7)
        {
            int next = _stream.ReadByte();
            value |= (ulong)(next & 0x7F) << shift;
            if (next is >= 0 and < 0x80)
            {
                return value;
            }
        }

        throw Damaged("a number without an end");
    }
}
