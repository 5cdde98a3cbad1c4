namespace Aries.Managed.Tests;

/// <summary>What a storage makes of weights, written from its definition, one weight after another.</summary>
internal static class StoredWeights
{
    public static float[] Of(ReadOnlySpan<float> weights, WeightStorage storage)
    {
        float[] stored = weights.ToArray();
        switch (storage)
        {
            case WeightStorage.Float32:
                return stored;
            case WeightStorage.BFloat16:
                return [.. stored.Select(NearestBFloat16)];
            default:
                for (int start = 0; start < stored.Length; start += 64)
                {
                    Span<float> block = stored.AsSpan(start, Math.Min(64, stored.Length - start));
                    float scale = block.ToArray().Max(Math.Abs) / 127;
                    foreach (ref float weight in block)
                    {
                        weight = (scale == 0 ? 0 : MathF.Round(weight / scale, MidpointRounding.ToEven)) * scale;
                    }
                }

                return stored;
        }
    }

    // The two neighbours of 16 bits, and the nearer of them; of two as near the one whose last bit is 0.
    private static float NearestBFloat16(float value)
    {
        uint lower = BitConverter.SingleToUInt32Bits(value) & 0xFFFF0000;
        float down = BitConverter.UInt32BitsToSingle(lower);
        float up = BitConverter.UInt32BitsToSingle(lower + 0x10000);
        double below = Math.Abs((double)value - down);
        double above = Math.Abs((double)up - value);
        return below < above || (below == above && (lower & 0x10000) == 0) ? down : up;
    }
}
