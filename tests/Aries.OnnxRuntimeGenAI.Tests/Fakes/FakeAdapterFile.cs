using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>Reads an <c>.onnx_adapter</c> as flatbuffers are read, and as strictly as the native library.</summary>
internal sealed class FakeAdapterFile
{
    private readonly Dictionary<string, (float[] Values, int Rows, int Columns)> _matrices = new(StringComparer.Ordinal);

    public FakeAdapterFile(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        try
        {
            Read(bytes);
        }
        catch (ArgumentOutOfRangeException)
        {
            throw new FakeNativeException("The adapter file is invalid.");
        }
    }

    public int Rank => _matrices.First(matrix => matrix.Key.EndsWith(".lora_A.weight", StringComparison.Ordinal)).Value.Columns;

    public LoraProjections Targets => PeftAdapterFile.Modules
        .Where(known => _matrices.Keys.Any(name => name.Contains($".{known.Module}.", StringComparison.Ordinal)))
        .Aggregate(LoraProjections.None, (targets, known) => targets | known.Projection);

    public IEnumerable<string> Names => _matrices.Keys;

    public (float[] Values, int Columns) Matrix(string name) => (_matrices[name].Values, _matrices[name].Columns);

    private void Read(byte[] bytes)
    {
        if (bytes.Length < 8 || Encoding.ASCII.GetString(bytes, 4, 4) != "TORT")
        {
            throw new FakeNativeException("The adapter file has no identifier TORT.");
        }

        int root = Int32(bytes, 0);
        foreach (int table in Elements(bytes, Follow(bytes, Field(bytes, root, 3))))
        {
            int at = Follow(bytes, table);
            string name = Encoding.UTF8.GetString(Content(bytes, Follow(bytes, Field(bytes, at, 0)), 1));
            long[] dimensions = MemoryMarshal.Cast<byte, long>(Content(bytes, Follow(bytes, Field(bytes, at, 1)), sizeof(long))).ToArray();
            int type = Int32(bytes, Field(bytes, at, 2));
            ReadOnlySpan<byte> data = Content(bytes, Follow(bytes, Field(bytes, at, 3)), 1);
            float[] values = type == 1
                ? MemoryMarshal.Cast<byte, float>(data).ToArray()
                : [.. MemoryMarshal.Cast<byte, Half>(data).ToArray().Select(value => (float)value)];
            _matrices.Add(name, (values, (int)dimensions[0], (int)dimensions[1]));
        }
    }

    private static int Int32(byte[] bytes, int at) => BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at, sizeof(int)));

    private static int Follow(byte[] bytes, int at) => at + Int32(bytes, at);

    private static int Field(byte[] bytes, int table, int index)
    {
        int description = table - Int32(bytes, table);
        return table + BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(description + 4 + (2 * index), 2));
    }

    private static ReadOnlySpan<byte> Content(byte[] bytes, int vector, int size) => bytes.AsSpan(vector + 4, Int32(bytes, vector) * size);

    private static IEnumerable<int> Elements(byte[] bytes, int vector) => Enumerable.Range(0, Int32(bytes, vector)).Select(index => vector + 4 + (4 * index));
}
