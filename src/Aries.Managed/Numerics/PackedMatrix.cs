using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <summary>A projection's weights that are only read, in the order in which a product reads them.</summary>
/// <remarks>
/// <para>
/// [panel][k][output in the panel]: a panel is as many outputs as a tile has columns, so a product of few rows streams through memory once, and one of many
/// rows finds its panels ready. What lies beyond the last output is zero.
/// </para>
/// <para>A stored weight stands for one float32, and products are those of that float32: the same bits as from a plain matrix of them.</para>
/// </remarks>
/// <threadsafety>Immutable.</threadsafety>
internal sealed unsafe class PackedMatrix
{
    /// <summary>How many weights of an output share a scale, where there are scales. Divides a product's block of k.</summary>
    public const int StepsPerScale = 64;

    private const int Alignment = 64;
    private const int LargestByte = 127;

    private readonly float[] _memory;
    private readonly nint _panelBytes;

    private PackedMatrix(int rows, int columns, WeightStorage storage, int vectorBits)
    {
        (Rows, Columns, Storage, VectorBits) = (rows, columns, storage, vectorBits);
        PanelWidth = 2 * vectorBits / 32;
        PanelCount = (rows + PanelWidth - 1) / PanelWidth;
        _panelBytes = (Offset(columns) + ScaleBytes(columns) + Alignment - 1) / Alignment * Alignment;
        long length = (PanelCount * (long)_panelBytes) + Alignment;

        // Pinned, so that the panels stay at the start of a cache line.
        _memory = GC.AllocateUninitializedArray<float>(checked((int)(length / sizeof(float))), pinned: true);
    }

    /// <summary>Receives some rows, densely.</summary>
    public delegate void RowReader(int firstRow, Span<float> rows);

    /// <summary>Gets the number of outputs.</summary>
    public int Rows { get; }

    /// <summary>Gets the number of inputs.</summary>
    public int Columns { get; }

    public WeightStorage Storage { get; }

    /// <summary>Gets the width of the vectors whose tiles read the panels.</summary>
    public int VectorBits { get; }

    /// <summary>Gets the number of outputs in a panel.</summary>
    public int PanelWidth { get; }

    public int PanelCount { get; }

    /// <summary>Gets the bytes that a product reads: weights and scales.</summary>
    public long ByteCount => PanelCount * (long)_panelBytes;

    /// <summary>Packs a matrix that comes a few rows at a time, so that it is never there whole beside its packed form.</summary>
    /// <param name="rows">The number of outputs.</param>
    /// <param name="columns">The number of inputs.</param>
    /// <param name="storage">How a weight is stored.</param>
    /// <param name="vectorBits">The width of the vectors of the products: 128, 256 or 512.</param>
    /// <param name="read">Gives rows; asked for all of them once, first to last.</param>
    public static PackedMatrix Pack(int rows, int columns, WeightStorage storage, int vectorBits, RowReader read)
    {
        PackedMatrix packed = new(rows, columns, storage, vectorBits);
        int width = packed.PanelWidth;
        float[] source = GC.AllocateUninitializedArray<float>(checked(width * columns));
        float[] steps = GC.AllocateUninitializedArray<float>(width * columns);
        for (int panel = 0; panel < packed.PanelCount; panel++)
        {
            int count = Math.Min(width, rows - (panel * width));
            read(panel * width, source.AsSpan(0, count * columns));
            if (count < width)
            {
                // Outputs that are not there have weights of 0.
                steps.AsSpan().Clear();
            }

            fixed (float* from = source, to = steps)
            {
                Packing<Simd256, Vector256<float>>.Transpose(from, columns, count, columns, to, width);
                packed.Encode(to, packed.Panel(panel));
            }
        }

        return packed;
    }

    /// <summary>Packs a plain matrix.</summary>
    public static PackedMatrix Pack(Matrix matrix, WeightStorage storage, int vectorBits) =>
        Pack(matrix.Rows, matrix.Columns, storage, vectorBits, (first, rows) =>
        {
            for (int row = 0; row < rows.Length / matrix.Columns; row++)
            {
                matrix.Row(first + row).CopyTo(rows[(row * matrix.Columns)..]);
            }
        });

    /// <summary>Gets the first byte of a panel.</summary>
    public byte* Panel(int index)
    {
        nuint start = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_memory));
        return (byte*)((start + (Alignment - 1)) & ~(nuint)(Alignment - 1)) + (index * _panelBytes);
    }

    /// <summary>Gets the distance from a panel's start to that of step <paramref name="depth"/>, or to the scales before it.</summary>
    /// <param name="depth">A multiple of <see cref="StepsPerScale"/> where there are scales.</param>
    public nint Offset(int depth) => Storage switch
    {
        WeightStorage.Float32 => (nint)depth * PanelWidth * sizeof(float),
        WeightStorage.BFloat16 => (nint)depth * PanelWidth * sizeof(ushort),
        _ => ((nint)depth * PanelWidth) + ((nint)(depth / StepsPerScale) * PanelWidth * sizeof(float)),
    };

    /// <summary>Copies the weights of an output, as an embedding does.</summary>
    /// <param name="row">The output.</param>
    /// <param name="target">Receives the weights. Shape [Columns].</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such output, or <paramref name="target"/> has another length.</exception>
    public void CopyRow(int row, Span<float> target)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Rows, nameof(row));
        ArgumentOutOfRangeException.ThrowIfNotEqual(target.Length, Columns, nameof(target));
        byte* panel = Panel(row / PanelWidth);
        int lane = row % PanelWidth;
        switch (Storage)
        {
            case WeightStorage.Float32:
                for (int step = 0; step < target.Length; step++)
                {
                    target[step] = ((float*)panel)[(step * PanelWidth) + lane];
                }

                break;
            case WeightStorage.BFloat16:
                int half = Half(lane);
                for (int step = 0; step < target.Length; step++)
                {
                    target[step] = BFloat16Bits.ToSingle(((ushort*)panel)[(step * PanelWidth) + half]);
                }

                break;
            default:
                for (int start = 0; start < target.Length; start += StepsPerScale)
                {
                    float* scales = (float*)(panel + Offset(start));
                    sbyte* bytes = (sbyte*)(scales + PanelWidth) + lane;
                    for (int step = 0; step < Math.Min(StepsPerScale, target.Length - start); step++)
                    {
                        target[start + step] = bytes[step * PanelWidth] * scales[lane];
                    }
                }

                break;
        }
    }

    // The scales of a last block that is not whole: Offset counts whole blocks only.
    private nint ScaleBytes(int depth) => Storage == WeightStorage.Int8 && depth % StepsPerScale != 0 ? PanelWidth * sizeof(float) : 0;

    // Where a bfloat16 lies in its step: the left vector in the lower halves of 32-bit lanes, the right one in the upper.
    private int Half(int lane)
    {
        int width = PanelWidth / 2;
        bool isUpper = (lane >= width) == BitConverter.IsLittleEndian;
        return (2 * (lane % width)) + (isUpper ? 1 : 0);
    }

    // steps: shape [Columns, PanelWidth].
    private void Encode(float* steps, byte* panel)
    {
        if (Storage == WeightStorage.Float32)
        {
            new ReadOnlySpan<float>(steps, Columns * PanelWidth).CopyTo(new Span<float>(panel, Columns * PanelWidth));
            return;
        }

        if (Storage == WeightStorage.BFloat16)
        {
            for (int lane = 0; lane < PanelWidth; lane++)
            {
                int half = Half(lane);
                for (int step = 0; step < Columns; step++)
                {
                    ((ushort*)panel)[(step * PanelWidth) + half] = BFloat16Bits.Round(steps[(step * PanelWidth) + lane]);
                }
            }

            return;
        }

        for (int step = 0; step < Columns; step += StepsPerScale)
        {
            EncodeBytes(steps + (step * PanelWidth), Math.Min(StepsPerScale, Columns - step), panel + Offset(step));
        }
    }

    private void EncodeBytes(float* steps, int count, byte* block)
    {
        float* scales = (float*)block;
        sbyte* bytes = (sbyte*)(scales + PanelWidth);
        for (int lane = 0; lane < PanelWidth; lane++)
        {
            float largest = 0;
            for (int step = 0; step < count; step++)
            {
                // Not a comparison: NaN must reach the scale, so that it reaches the results.
                largest = MathF.Max(largest, MathF.Abs(steps[(step * PanelWidth) + lane]));
            }

            float scale = largest / LargestByte;
            scales[lane] = scale;
            for (int step = 0; step < count; step++)
            {
                float quotient = scale > 0 ? MathF.Round(steps[(step * PanelWidth) + lane] / scale) : 0;
                bytes[(step * PanelWidth) + lane] = float.IsNaN(quotient) ? (sbyte)0 : (sbyte)Math.Clamp(quotient, -LargestByte, LargestByte);
            }
        }
    }
}
