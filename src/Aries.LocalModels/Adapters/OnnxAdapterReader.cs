using System.Text;

namespace Aries;

/// <summary>Checks an <c>.onnx_adapter</c> file, of whatever tool, before native code maps it.</summary>
/// <remarks>
/// ONNX Runtime checks that the file is a flatbuffer of the schema. It checks neither that a matrix has as many bytes as its dimensions say nor, before a run, that the graph has an input for it.
/// </remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class OnnxAdapterReader : IDisposable
{
    private const string FixWrite = "The file is damaged or no adapter of this format: write it again with OnnxAdapterWriter.";

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly FileStream _stream;
    private readonly BinaryReader _reader;
    private long _claimed;

    private OnnxAdapterReader(string path)
    {
        _stream = File.OpenRead(path);
        _reader = new BinaryReader(_stream);
    }

    /// <summary>Checks that a file is whole and fits a model.</summary>
    /// <param name="path">The file.</param>
    /// <param name="modelFolder">The model's folder of ONNX Runtime GenAI.</param>
    /// <exception cref="ModelFormatException">The file is missing or damaged, or the graph has no input for what it holds, or others.</exception>
    public static void Check(string path, string modelFolder)
    {
        IReadOnlyList<AdapterMatrix> matrices = Read(path);
        IReadOnlyList<AdapterSlot> slots = AdapterSlot.Find(GraphInputReader.Read(Path.Combine(modelFolder, GenAIConfig.Read(modelFolder).GraphFile)), modelFolder);
        Dictionary<string, AdapterMatrix> byName = [];
        foreach (AdapterMatrix matrix in matrices)
        {
            if (!byName.TryAdd(matrix.Name, matrix))
            {
                throw new ModelFormatException(path, $"the adapter holds '{matrix.Name}' twice.", FixWrite);
            }
        }

        int found = 0;
        foreach (AdapterSlot slot in slots)
        {
            bool hasDown = byName.TryGetValue(slot.Module + AdapterSlot.Down, out AdapterMatrix? down);
            bool hasUp = byName.TryGetValue(slot.Module + AdapterSlot.Up, out AdapterMatrix? up);
            if (!hasDown && !hasUp)
            {
                continue;
            }

            found += 2;
            if (down is null || up is null || down.Rows != slot.Inputs || up.Columns != slot.Outputs || down.Columns != up.Rows || down.Type != slot.Type || up.Type != slot.Type)
            {
                throw new ModelFormatException(
                    path,
                    $"for {slot.Module} the adapter holds A {Describe(down)} and B {Describe(up)}, but the graph takes [{slot.Inputs}, rank] and [rank, {slot.Outputs}] in {slot.Type}.",
                    "Use the model that the adapter was written for, or write the adapter for this one with OnnxAdapterWriter.");
            }
        }

        if (found < matrices.Count)
        {
            HashSet<string> known = [.. slots.SelectMany(slot => (string[])[slot.Module + AdapterSlot.Down, slot.Module + AdapterSlot.Up])];
            throw new ModelFormatException(
                path,
                $"the adapter holds '{matrices.First(matrix => !known.Contains(matrix.Name)).Name}', for which the graph has no input.",
                "Use the model that the adapter was written for, or write the model again with GenAIModelOptions.AdapterTargets naming every projection that the adapter changes.");
        }
    }

    /// <summary>Reads what matrices a file holds, without their values.</summary>
    /// <exception cref="ModelFormatException">The file is missing or damaged.</exception>
    public static IReadOnlyList<AdapterMatrix> Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new ModelFormatException(path, "there is no such file.", "Point to an .onnx_adapter file, or to a folder in PEFT layout.");
        }

        using OnnxAdapterReader reader = new(path);
        return reader.ReadAdapter();
    }

    public void Dispose() => _reader.Dispose();

    private List<AdapterMatrix> ReadAdapter()
    {
        if (_stream.Length > int.MaxValue || !Bytes(4, 4).AsSpan().SequenceEqual("TORT"u8))
        {
            throw Damaged("it does not begin as an adapter does");
        }

        long adapter = Follow(0);
        int version = Field(adapter, 0) is long at ? Int32(at) : 0;
        if (version != OnnxAdapterFile.FormatVersion)
        {
            throw new ModelFormatException(_stream.Name, $"the adapter has the format version {version}, and {OnnxAdapterFile.FormatVersion} is read.", FixWrite);
        }

        (long start, int count) = Vector(Required(adapter, 3, "parameters"), sizeof(int));
        List<AdapterMatrix> matrices = [];
        for (int index = 0; index < count; index++)
        {
            matrices.Add(ReadMatrix(Follow(start + ((long)index * sizeof(int)))));
        }

        return matrices;
    }

    private AdapterMatrix ReadMatrix(long table)
    {
        (long nameAt, int nameLength) = Vector(Required(table, 0, "a name"), 1);
        (long data, int length) = Vector(Required(table, 3, "values"), 1);

        // Many pointers to one place would make a small file a large list.
        _claimed += nameLength + length;
        if (_claimed > _stream.Length)
        {
            throw Damaged("its parts overlap");
        }

        string name;
        try
        {
            name = Strict.GetString(Bytes(nameAt, nameLength));
        }
        catch (ArgumentException exception)
        {
            throw Damaged($"a name is not valid UTF-8 ({exception.Message})");
        }

        (long dimensionsAt, int rank) = Vector(Required(table, 1, "dimensions"), sizeof(long));
        GraphFloatType type = (GraphFloatType)Int32(Required(table, 2, "a type"));
        if (rank != 2 || !Enum.IsDefined(type))
        {
            throw Damaged($"'{name}' is no matrix of floats");
        }

        (long rows, long columns) = (Int64(dimensionsAt), Int64(dimensionsAt + sizeof(long)));
        if (rows is < 1 or > int.MaxValue || columns is < 1 or > int.MaxValue || (UInt128)(rows * columns) * (uint)type.Size() != (uint)length || data % sizeof(long) != 0)
        {
            throw Damaged($"'{name}' has the shape [{rows}, {columns}] in {type}, but {length} bytes at {data}");
        }

        return new AdapterMatrix(name, (int)rows, (int)columns, 1, type);
    }

    // A table begins with the distance back to its description: two sizes, then for each field how far it stands from the table's start, or 0.
    private long? Field(long table, int index)
    {
        long description = table - Int32(table);
        long entry = 4 + (2L * index);
        int offset = entry + 2 <= UInt16(description) ? UInt16(description + entry) : 0;
        return offset == 0 ? null : table + offset;
    }

    private long Required(long table, int index, string what) => Field(table, index) ?? throw Damaged($"a table lacks {what}");

    private (long Start, int Count) Vector(long pointer, int size)
    {
        long vector = Follow(pointer);
        int count = Int32(vector);
        return count >= 0 && (long)count * size <= _stream.Length - vector - sizeof(int) ? (vector + sizeof(int), count) : throw Damaged($"{count} items of {size} bytes do not fit into it");
    }

    private long Follow(long pointer) => pointer + (uint)Int32(pointer);

    private int Int32(long position)
    {
        Seek(position, sizeof(int));
        return _reader.ReadInt32();
    }

    private long Int64(long position)
    {
        Seek(position, sizeof(long));
        return _reader.ReadInt64();
    }

    private ushort UInt16(long position)
    {
        Seek(position, sizeof(ushort));
        return _reader.ReadUInt16();
    }

    private byte[] Bytes(long position, int count)
    {
        Seek(position, count);
        return _reader.ReadBytes(count);
    }

    private void Seek(long position, int count) => _stream.Position = position >= 0 && position <= _stream.Length - count ? position : throw Damaged($"it points to byte {position}");

    private static string Describe(AdapterMatrix? matrix) => matrix is null ? "nothing" : $"[{matrix.Rows}, {matrix.Columns}] in {matrix.Type}";

    private ModelFormatException Damaged(string what) => new(_stream.Name, $"of {_stream.Length} bytes, {what}.", FixWrite);
}
