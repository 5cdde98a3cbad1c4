using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <summary>What the layers do to one row of values, in eight lanes.</summary>
/// <remarks>Sums are taken in an order that the row's length alone decides.</remarks>
/// <threadsafety>Every member may be called concurrently on rows that do not overlap.</threadsafety>
internal static class RowKernels
{
    /// <summary>Computes Σ x·y.</summary>
    /// <exception cref="ArgumentException">The rows differ in length.</exception>
    public static float Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        CheckLengths(x.Length, y.Length);
        Vector256<float> even = Vector256<float>.Zero;
        Vector256<float> odd = Vector256<float>.Zero;
        Vector256<float> third = Vector256<float>.Zero;
        Vector256<float> fourth = Vector256<float>.Zero;
        int index = 0;
        for (; index + (4 * Lanes.Count) <= x.Length; index += 4 * Lanes.Count)
        {
            even = Lanes.MultiplyAdd(Lanes.Load(x, index), Lanes.Load(y, index), even);
            odd = Lanes.MultiplyAdd(Lanes.Load(x, index + Lanes.Count), Lanes.Load(y, index + Lanes.Count), odd);
            third = Lanes.MultiplyAdd(Lanes.Load(x, index + (2 * Lanes.Count)), Lanes.Load(y, index + (2 * Lanes.Count)), third);
            fourth = Lanes.MultiplyAdd(Lanes.Load(x, index + (3 * Lanes.Count)), Lanes.Load(y, index + (3 * Lanes.Count)), fourth);
        }

        for (; index < x.Length; index += Lanes.Count)
        {
            even = Lanes.MultiplyAdd(Lanes.Load(x, index), Lanes.Load(y, index), even);
        }

        return Lanes.Sum((even + odd) + (third + fourth));
    }

    /// <summary>Computes Σ x² in float64 over float32 blocks of 1024, for the norm of a whole gradient.</summary>
    public static double SumOfSquares(ReadOnlySpan<float> x)
    {
        double sum = 0;
        for (int start = 0; start < x.Length; start += 1024)
        {
            ReadOnlySpan<float> block = x.Slice(start, Math.Min(1024, x.Length - start));
            sum += Dot(block, block);
        }

        return sum;
    }

    /// <summary>Computes y += x.</summary>
    /// <exception cref="ArgumentException">The rows differ in length.</exception>
    public static void Add(ReadOnlySpan<float> x, Span<float> y)
    {
        CheckLengths(x.Length, y.Length);
        for (int index = 0; index < x.Length; index += Lanes.Count)
        {
            Lanes.Store(Lanes.Load(y, index) + Lanes.Load(x, index), y, index);
        }
    }

    /// <summary>Computes y += scale·x.</summary>
    /// <exception cref="ArgumentException">The rows differ in length.</exception>
    public static void AddScaled(ReadOnlySpan<float> x, float scale, Span<float> y)
    {
        CheckLengths(x.Length, y.Length);
        Vector256<float> factor = Vector256.Create(scale);
        for (int index = 0; index < x.Length; index += Lanes.Count)
        {
            Lanes.Store(Lanes.MultiplyAdd(factor, Lanes.Load(x, index), Lanes.Load(y, index)), y, index);
        }
    }

    /// <summary>Computes x *= scale.</summary>
    public static void Scale(Span<float> x, float scale) => Scale(x, scale, x);

    /// <summary>Computes y = scale·x.</summary>
    /// <exception cref="ArgumentException">The rows differ in length.</exception>
    public static void Scale(ReadOnlySpan<float> x, float scale, Span<float> y)
    {
        CheckLengths(x.Length, y.Length);
        Vector256<float> factor = Vector256.Create(scale);
        for (int index = 0; index < x.Length; index += Lanes.Count)
        {
            Lanes.Store(Lanes.Load(x, index) * factor, y, index);
        }
    }

    /// <summary>Finds the largest value; NaN if there is one.</summary>
    /// <exception cref="ArgumentException">The row is empty.</exception>
    public static float Max(ReadOnlySpan<float> x)
    {
        if (x.IsEmpty)
        {
            throw new ArgumentException("An empty row has no largest value.", nameof(x));
        }

        float result = x[0];
        int index = 0;
        if (x.Length >= Lanes.Count)
        {
            Vector256<float> largest = Lanes.Load(x, 0);
            for (index = Lanes.Count; index + Lanes.Count <= x.Length; index += Lanes.Count)
            {
                largest = Vector256.Max(largest, Lanes.Load(x, index));
            }

            for (int lane = 0; lane < Lanes.Count; lane++)
            {
                result = MathF.Max(result, largest.GetElement(lane));
            }
        }

        for (; index < x.Length; index++)
        {
            result = MathF.Max(result, x[index]);
        }

        return result;
    }

    /// <summary>Replaces x by exp(x − shift) and returns the sum of the results.</summary>
    /// <param name="x">Values, none above <paramref name="shift"/>; −∞ gives 0.</param>
    /// <param name="shift">The row's maximum, finite.</param>
    public static float ExpShifted(Span<float> x, float shift)
    {
        Vector256<float> maximum = Vector256.Create(shift);
        Vector256<float> sum = Vector256<float>.Zero;
        int index = 0;
        for (; index + Lanes.Count <= x.Length; index += Lanes.Count)
        {
            Vector256<float> exponential = Lanes.Exp(Lanes.Load(x, index) - maximum);
            exponential.StoreUnsafe(ref x[index]);
            sum += exponential;
        }

        if (index < x.Length)
        {
            Vector256<float> exponential = Lanes.Exp(Lanes.Load(x, index) - maximum);
            Lanes.Store(exponential, x, index);

            // The lanes after the row's end hold exp(0 − shift), which is not part of the sum; what was stored, loaded again, has zeros there.
            sum += Lanes.Load(x, index);
        }

        return Lanes.Sum(sum);
    }

    internal static void CheckLengths(int first, int second)
    {
        if (first != second)
        {
            throw new ArgumentException($"The rows hold {first} and {second} values; they must be equally long.");
        }
    }
}
