using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Aries.Preferences;

namespace Aries.Managed;

/// <summary>Eight float32 lanes at a time, with the row's ragged end filled with zeros.</summary>
/// <remarks>
/// The row kernels always compute in eight lanes and fused multiply-adds, whatever the processor is wide, so that sums are taken in one order
/// and every machine gives the same bits.
/// </remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal static class Lanes
{
    /// <summary>The number of values in a step.</summary>
    public const int Count = 8;

    /// <summary>Loads eight values from <paramref name="index"/>, zeros after the row's end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(ReadOnlySpan<float> row, int index) => index + Count <= row.Length
        ? Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(row), (nuint)index)
        : LoadEnd(row, index);

    /// <summary>Stores eight values at <paramref name="index"/>, leaving out those after the row's end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> values, Span<float> row, int index)
    {
        if (index + Count <= row.Length)
        {
            values.StoreUnsafe(ref MemoryMarshal.GetReference(row), (nuint)index);
        }
        else
        {
            StoreEnd(values, row, index);
        }
    }

    /// <summary>Computes x·y + z with one rounding.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> x, Vector256<float> y, Vector256<float> z) => Vector256.FusedMultiplyAdd(x, y, z);

    /// <inheritdoc cref="VectorExp.Exp(Vector256{float})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x) => VectorExp.Exp(x);

    /// <summary>Computes 1 / (1 + e⁻ˣ) without overflow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Sigmoid(Vector256<float> x)
    {
        // With e = exp(−|x|), at most 1: σ(|x|) = 1 / (1 + e) and σ(−|x|) = e / (1 + e).
        Vector256<float> e = Exp(-Vector256.Abs(x));
        return Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256<float>.Zero), e, Vector256<float>.One) / (Vector256<float>.One + e);
    }

    /// <summary>Adds the lanes in a fixed order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> values)
    {
        Vector128<float> four = values.GetLower() + values.GetUpper();
        Vector64<float> two = four.GetLower() + four.GetUpper();
        return two.ToScalar() + two.GetElement(1);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector256<float> LoadEnd(ReadOnlySpan<float> row, int index)
    {
        Span<float> padded = stackalloc float[Count];
        padded.Clear();
        row[index..].CopyTo(padded);
        return Vector256.Create<float>(padded);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StoreEnd(Vector256<float> values, Span<float> row, int index)
    {
        for (int lane = 0; index + lane < row.Length; lane++)
        {
            row[index + lane] = values.GetElement(lane);
        }
    }
}
