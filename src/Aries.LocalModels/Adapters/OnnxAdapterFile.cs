using System.Text;

namespace Aries;

/// <summary>The format <c>.onnx_adapter</c> of ONNX Runtime.</summary>
/// <remarks>
/// A flatbuffer of the schema
/// <see href="https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/lora/adapter_format/adapter_schema.fbs">adapter_schema.fbs</see>: a table of three versions and a list of parameters,
/// each a table of a name, dimensions, a type and bytes. What a table is: <see href="https://flatbuffers.dev/internals/"/>. All that points to something stands before it, and the bytes come last,
/// so the file is written from the front to the back with one matrix in memory; a general builder works from the back, in memory.
/// </remarks>
internal static class OnnxAdapterFile
{
    private const int FormatVersion = 1;

    // Both kinds of tables have four fields of four bytes: one description serves them.
    private const int TableSize = 20;
    private const int DescriptionAt = 8;
    private const int AdapterAt = 20;
    private const int ListAt = AdapterAt + TableSize;

    /// <summary>Writes an adapter.</summary>
    /// <param name="stream">Where to; at its start.</param>
    /// <param name="matrices">What it holds.</param>
    /// <param name="contents">The same with their bytes, in the same order.</param>
    /// <exception cref="NotSupportedException">The file would be larger than the format's 2 GB.</exception>
    public static void Write(Stream stream, IReadOnlyList<AdapterMatrix> matrices, IEnumerable<(AdapterMatrix Matrix, byte[] Bytes)> contents)
    {
        byte[][] names = [.. matrices.Select(matrix => Encoding.UTF8.GetBytes(matrix.Name))];
        long end = ListAt + sizeof(int) + ((long)matrices.Count * sizeof(int));
        long[] tables = Place(ref end, sizeof(int), matrices.Select(_ => (long)TableSize - sizeof(int)));
        long[] texts = Place(ref end, sizeof(int), names.Select(name => name.Length + 1L));
        long[] dimensions = Place(ref end, sizeof(long), matrices.Select(_ => 2L * sizeof(long)));
        long[] data = Place(ref end, sizeof(long), matrices.Select(matrix => matrix.ByteCount));
        if (end > int.MaxValue)
        {
            throw new NotSupportedException($"The adapter takes {end} bytes, and an .onnx_adapter ends at {int.MaxValue}. Train a lower rank or fewer projections, or write the model in half precision.");
        }

        using BinaryWriter writer = new(stream, Encoding.UTF8, leaveOpen: true);
        void Skip(long position) => writer.Write(new byte[position - stream.Position]);
        void Point(long position) => writer.Write((int)(position - stream.Position));
        Point(AdapterAt);
        writer.Write("TORT"u8);
        foreach (int value in (int[])[3 * sizeof(int), TableSize, 4, 8, 12, 16])
        {
            writer.Write((ushort)value);
        }

        writer.Write(AdapterAt - DescriptionAt);
        writer.Write(FormatVersion);
        writer.Write(1); // The adapter's own version, and the model's: nothing reads them.
        writer.Write(1);
        Point(ListAt);
        writer.Write(matrices.Count);
        foreach (long table in tables)
        {
            Point(table);
        }

        for (int index = 0; index < matrices.Count; index++)
        {
            writer.Write((int)(tables[index] - DescriptionAt));
            Point(texts[index]);
            Point(dimensions[index]);
            writer.Write((int)matrices[index].Type);
            Point(data[index]);
        }

        for (int index = 0; index < matrices.Count; index++)
        {
            Skip(texts[index]);
            writer.Write(names[index].Length);
            writer.Write(names[index]);
            writer.Write((byte)0);
        }

        for (int index = 0; index < matrices.Count; index++)
        {
            Skip(dimensions[index]);
            writer.Write(2);
            writer.Write((long)matrices[index].Rows);
            writer.Write((long)matrices[index].Columns);
        }

        int next = 0;
        foreach ((_, byte[] bytes) in contents)
        {
            Skip(data[next++]);
            writer.Write(bytes.Length);
            writer.Write(bytes);
        }
    }

    // Each stands behind the one before: four bytes of length or description, then a content that begins at a multiple of the alignment.
    private static long[] Place(ref long end, int alignment, IEnumerable<long> lengths)
    {
        List<long> places = [];
        foreach (long length in lengths)
        {
            long content = (end + sizeof(int) + alignment - 1) / alignment * alignment;
            places.Add(content - sizeof(int));
            end = content + length;
        }

        return [.. places];
    }
}
