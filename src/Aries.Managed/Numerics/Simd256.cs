using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Aries.Managed;

/// <summary>8 lanes.</summary>
internal readonly unsafe struct Simd256 : ISimd<Vector256<float>>
{
    public static int Width => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Multiply(Vector256<float> x, Vector256<float> y) => x * y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadLowerHalves(byte* source) => Vector256.ShiftLeft(Vector256.Load((uint*)source), 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadUpperHalves(byte* source) => (Vector256.Load((uint*)source) & Vector256.Create(0xFFFF0000u)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadSignedBytes(byte* source)
    {
        if (Avx2.IsSupported)
        {
            return Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32((sbyte*)source));
        }

        Vector128<short> eight = Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<long>(source)).AsSByte());
        return Vector256.ConvertToSingle(Vector256.Create(Vector128.WidenLower(eight), Vector128.WidenUpper(eight)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> values, float* target) => values.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Broadcast(float* source) => Vector256.Create(*source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> x, Vector256<float> y) => x + y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> x, Vector256<float> y, Vector256<float> z) => Vector256.FusedMultiplyAdd(x, y, z);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(float* source, nint sourceRow, float* target, nint targetRow)
    {
        if (!Avx.IsSupported)
        {
            Simd128.Transpose(source, sourceRow, target, targetRow);
            Simd128.Transpose(source + 4, sourceRow, target + (4 * targetRow), targetRow);
            Simd128.Transpose(source + (4 * sourceRow), sourceRow, target + 4, targetRow);
            Simd128.Transpose(source + (4 * sourceRow) + 4, sourceRow, target + (4 * targetRow) + 4, targetRow);
            return;
        }

        FourColumns(source, sourceRow, target, targetRow);
        FourColumns(source + 4, sourceRow, target + (4 * targetRow), targetRow);
    }

    // Four rows and, in the upper half, the four below them: then two interleavings put every column together, without crossing halves.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FourColumns(float* source, nint sourceRow, float* target, nint targetRow)
    {
        float* lower = source + (4 * sourceRow);
        Vector256<float> r0 = Vector256.Create(Vector128.Load(source), Vector128.Load(lower));
        Vector256<float> r1 = Vector256.Create(Vector128.Load(source + sourceRow), Vector128.Load(lower + sourceRow));
        Vector256<float> r2 = Vector256.Create(Vector128.Load(source + (2 * sourceRow)), Vector128.Load(lower + (2 * sourceRow)));
        Vector256<float> r3 = Vector256.Create(Vector128.Load(source + (3 * sourceRow)), Vector128.Load(lower + (3 * sourceRow)));
        Vector256<double> low01 = Avx.UnpackLow(r0, r1).AsDouble();
        Vector256<double> high01 = Avx.UnpackHigh(r0, r1).AsDouble();
        Vector256<double> low23 = Avx.UnpackLow(r2, r3).AsDouble();
        Vector256<double> high23 = Avx.UnpackHigh(r2, r3).AsDouble();
        Avx.UnpackLow(low01, low23).AsSingle().Store(target);
        Avx.UnpackHigh(low01, low23).AsSingle().Store(target + targetRow);
        Avx.UnpackLow(high01, high23).AsSingle().Store(target + (2 * targetRow));
        Avx.UnpackHigh(high01, high23).AsSingle().Store(target + (3 * targetRow));
    }
}
