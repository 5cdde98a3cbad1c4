using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <summary>One row of one tile of the online softmax.</summary>
internal static class SoftmaxTile
{
    private const int Lanes = 16;

    /// <summary>Turns scores into weights exp(score − maximum), and brings the row's running maximum and sum up to date.</summary>
    /// <param name="scores">Room for a whole tile, a multiple of 16. Values from <paramref name="seen"/> on become 0.</param>
    /// <param name="seen">The number of scores that the row sees; at least 1.</param>
    /// <param name="count">The number of scores that are read afterwards; at least <paramref name="seen"/>.</param>
    /// <param name="maximum">The running maximum; −∞ before the first tile.</param>
    /// <param name="sum">The running sum of weights.</param>
    /// <returns>What the weights of the earlier tiles shrink by.</returns>
    public static float Update(Span<float> scores, int seen, int count, ref float maximum, ref float sum)
    {
        // Groups of 16 that hold no seen score are left out: their weights are 0, and adding 0 changes no bit.
        int groups = (seen + Lanes - 1) / Lanes * Lanes;
        scores[seen..groups].Fill(float.NegativeInfinity);
        ref float first = ref MemoryMarshal.GetReference(scores);
        Vector512<float> highest = Vector512.Create(maximum);
        for (nuint i = 0; i < (nuint)groups; i += Lanes)
        {
            highest = Vector512.Max(highest, Vector512.LoadUnsafe(ref first, i));
        }

        float newMaximum = Highest(highest);
        Vector512<float> shift = Vector512.Create(newMaximum);
        Vector512<float> total = Vector512<float>.Zero;
        for (nuint i = 0; i < (nuint)groups; i += Lanes)
        {
            Vector512<float> weight = Vector512.Exp(Vector512.LoadUnsafe(ref first, i) - shift);
            total += weight;
            weight.StoreUnsafe(ref first, i);
        }

        if (count > groups)
        {
            scores[groups..count].Clear();
        }

        float rescale = MathF.Exp(maximum - newMaximum);
        sum = (sum * rescale) + Vector512.Sum(total);
        maximum = newMaximum;
        return rescale;
    }

    private static float Highest(Vector512<float> values)
    {
        Vector256<float> half = Vector256.Max(values.GetLower(), values.GetUpper());
        Vector128<float> quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        return MathF.Max(MathF.Max(quarter[0], quarter[1]), MathF.Max(quarter[2], quarter[3]));
    }
}
