namespace Aries;

/// <summary>A counter-based random stream: the draw of a token depends on its request's seed and its index, on nothing else.</summary>
/// <remarks>
/// The mixing function is SplitMix64's (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", Fig. 17);
/// the seed is mixed once more before the counter is added, so that neighbouring seeds do not give shifted copies of one stream.
/// </remarks>
internal static class SeededDraw
{
    private const ulong GoldenGamma = 0x9E3779B97F4A7C15;

    /// <summary>Returns a number in [0, 1), a multiple of 2⁻⁵³.</summary>
    /// <param name="seed">The request's seed.</param>
    /// <param name="index">The index of the token in its response, from 0.</param>
    public static double Uniform(long seed, int index)
    {
        ulong state = Mix(unchecked((ulong)seed + GoldenGamma));
        return (Mix(unchecked(state + ((ulong)index * GoldenGamma))) >> 11) * (1.0 / (1UL << 53));
    }

    private static ulong Mix(ulong z)
    {
        unchecked
        {
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }
}
