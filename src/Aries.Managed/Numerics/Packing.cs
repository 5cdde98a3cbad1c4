using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Aries.Managed;

/// <summary>Copies a block of a factor into the order in which a tile reads it.</summary>
/// <remarks>The copies lie densely in the nearest cache, whatever the factor's stride; missing columns become zeros.</remarks>
/// <threadsafety>Every member may be called concurrently; the buffers belong to the calling thread.</threadsafety>
internal static unsafe class Packing
{
    private const int Alignment = 64;

    [ThreadStatic]
    private static float[]? _buffer;

    /// <summary>Gets this thread's buffer, at the start of a cache line; the next call on this thread takes it back.</summary>
    /// <param name="length">The values needed.</param>
    public static float* Buffer(int length)
    {
        int needed = length + (Alignment / sizeof(float));
        if (_buffer is null || _buffer.Length < needed)
        {
            _buffer = GC.AllocateUninitializedArray<float>(needed, pinned: true);
        }

        nuint address = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_buffer));
        return (float*)((address + (Alignment - 1)) & ~(nuint)(Alignment - 1));
    }

    /// <summary>Copies <paramref name="columns"/> neighbouring values of each of <paramref name="depth"/> rows: target[k, j] = source[k, j].</summary>
    /// <param name="source">source[0, 0].</param>
    /// <param name="stride">The distance between the source's rows.</param>
    /// <param name="columns">The values there, at most <paramref name="width"/>.</param>
    /// <param name="depth">The number of rows.</param>
    /// <param name="target">Receives the rows. Shape [depth, width].</param>
    /// <param name="width">A multiple of 4.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Copy(float* source, nint stride, int columns, int depth, float* target, int width)
    {
        for (int step = 0; step < depth; step++)
        {
            int column = 0;
            for (; column + 8 <= columns; column += 8)
            {
                Vector256.Load(source + column).Store(target + column);
            }

            for (; column < columns; column++)
            {
                target[column] = source[column];
            }

            for (; column < width; column++)
            {
                target[column] = 0;
            }

            source += stride;
            target += width;
        }
    }

    /// <summary>Copies columns into rows: target[k, j] = source[j, k].</summary>
    /// <param name="source">source[0, 0].</param>
    /// <param name="stride">The distance between the source's rows.</param>
    /// <param name="rows">The rows there, at most <paramref name="width"/>.</param>
    /// <param name="depth">The values of each row.</param>
    /// <param name="target">Receives the columns. Shape [depth, width].</param>
    /// <param name="width">The distance between the target's rows.</param>
    /// <param name="filled">Up to which column a target's row is filled with zeros.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(float* source, nint stride, int rows, int depth, float* target, int width, int filled)
    {
        int row = 0;
        for (; row + 8 <= rows; row += 8)
        {
            float* from = source + (row * stride);
            float* to = target + row;
            int step = 0;
            if (Avx.IsSupported)
            {
                for (; step + 8 <= depth; step += 8)
                {
                    TransposeEight(from + step, stride, to + ((nint)step * width), width);
                }
            }
            else
            {
                for (; step + 4 <= depth; step += 4)
                {
                    TransposeFour(from + step, stride, to + ((nint)step * width), width);
                    TransposeFour(from + (4 * stride) + step, stride, to + ((nint)step * width) + 4, width);
                }
            }

            for (; step < depth; step++)
            {
                for (int lane = 0; lane < 8; lane++)
                {
                    to[((nint)step * width) + lane] = from[(lane * stride) + step];
                }
            }
        }

        for (; row < rows; row++)
        {
            for (int step = 0; step < depth; step++)
            {
                target[((nint)step * width) + row] = source[(row * stride) + step];
            }
        }

        for (int step = 0; step < depth && row < filled; step++)
        {
            new Span<float>(target + ((nint)step * width) + row, filled - row).Clear();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransposeEight(float* from, nint stride, float* to, nint width)
    {
        // Four rows and, in the upper half, the four below them: then two interleavings put every column together, without crossing halves.
        float* lower = from + (4 * stride);
        Vector256<float> r0 = Vector256.Create(Vector128.Load(from), Vector128.Load(lower));
        Vector256<float> r1 = Vector256.Create(Vector128.Load(from + stride), Vector128.Load(lower + stride));
        Vector256<float> r2 = Vector256.Create(Vector128.Load(from + (2 * stride)), Vector128.Load(lower + (2 * stride)));
        Vector256<float> r3 = Vector256.Create(Vector128.Load(from + (3 * stride)), Vector128.Load(lower + (3 * stride)));
        StoreColumns(r0, r1, r2, r3, to, width);

        from += 4;
        lower += 4;
        r0 = Vector256.Create(Vector128.Load(from), Vector128.Load(lower));
        r1 = Vector256.Create(Vector128.Load(from + stride), Vector128.Load(lower + stride));
        r2 = Vector256.Create(Vector128.Load(from + (2 * stride)), Vector128.Load(lower + (2 * stride)));
        r3 = Vector256.Create(Vector128.Load(from + (3 * stride)), Vector128.Load(lower + (3 * stride)));
        StoreColumns(r0, r1, r2, r3, to + (4 * width), width);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreColumns(Vector256<float> r0, Vector256<float> r1, Vector256<float> r2, Vector256<float> r3, float* to, nint width)
    {
        Vector256<double> low01 = Avx.UnpackLow(r0, r1).AsDouble();
        Vector256<double> high01 = Avx.UnpackHigh(r0, r1).AsDouble();
        Vector256<double> low23 = Avx.UnpackLow(r2, r3).AsDouble();
        Vector256<double> high23 = Avx.UnpackHigh(r2, r3).AsDouble();
        Avx.UnpackLow(low01, low23).AsSingle().Store(to);
        Avx.UnpackHigh(low01, low23).AsSingle().Store(to + width);
        Avx.UnpackLow(high01, high23).AsSingle().Store(to + (2 * width));
        Avx.UnpackHigh(high01, high23).AsSingle().Store(to + (3 * width));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransposeFour(float* from, nint stride, float* to, nint width)
    {
        Vector128<float> r0 = Vector128.Load(from);
        Vector128<float> r1 = Vector128.Load(from + stride);
        Vector128<float> r2 = Vector128.Load(from + (2 * stride));
        Vector128<float> r3 = Vector128.Load(from + (3 * stride));
        Vector128<double> low01 = ZipLow(r0, r1).AsDouble();
        Vector128<double> high01 = ZipHigh(r0, r1).AsDouble();
        Vector128<double> low23 = ZipLow(r2, r3).AsDouble();
        Vector128<double> high23 = ZipHigh(r2, r3).AsDouble();
        Vector128.Create(low01.GetLower(), low23.GetLower()).AsSingle().Store(to);
        Vector128.Create(low01.GetUpper(), low23.GetUpper()).AsSingle().Store(to + width);
        Vector128.Create(high01.GetLower(), high23.GetLower()).AsSingle().Store(to + (2 * width));
        Vector128.Create(high01.GetUpper(), high23.GetUpper()).AsSingle().Store(to + (3 * width));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> ZipLow(Vector128<float> x, Vector128<float> y) =>
        Sse.IsSupported ? Sse.UnpackLow(x, y)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(x, y)
        : Vector128.Create(x.GetElement(0), y.GetElement(0), x.GetElement(1), y.GetElement(1));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> ZipHigh(Vector128<float> x, Vector128<float> y) =>
        Sse.IsSupported ? Sse.UnpackHigh(x, y)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(x, y)
        : Vector128.Create(x.GetElement(2), y.GetElement(2), x.GetElement(3), y.GetElement(3));
}
