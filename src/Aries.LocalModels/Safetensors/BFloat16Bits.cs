namespace Aries;

/// <summary>The 16 bits of a bfloat16: those of a float32 without the lower half of its fraction.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal static class BFloat16Bits
{
    /// <summary>Rounds to the nearest, and between two to the even one.</summary>
    public static ushort Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value))
        {
            // Rounding could carry a NaN's payload into infinity: keep it quiet instead.
            return (ushort)((bits >> 16) | 0x0040);
        }

        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>Gives the float32 of the same value.</summary>
    public static float ToSingle(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);
}
