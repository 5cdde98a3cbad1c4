using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Aries;

/// <summary>The types of floats in an ONNX graph, by the numbers that the ONNX standard gives them.</summary>
internal enum GraphFloatType
{
#pragma warning disable CA1720 // The members name types: that is what they mean.
    Float32 = 1,
#pragma warning restore CA1720
    Float16 = 10,
    BFloat16 = 16,
}

/// <summary>Puts floats into the form of a graph's type.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal static class GraphFloatTypeExtensions
{
    /// <summary>Returns the number of bytes of one value.</summary>
    public static int Size(this GraphFloatType type) => type == GraphFloatType.Float32 ? sizeof(float) : sizeof(ushort);

    /// <summary>Returns values as bytes: those of <paramref name="values"/> themselves, or rounded ones.</summary>
    /// <param name="type">The type.</param>
    /// <param name="values">The values.</param>
    /// <param name="name">The tensor's name, for the message.</param>
    /// <exception cref="OverflowException">A value is beyond the range of half precision.</exception>
    public static ReadOnlySpan<byte> Bytes(this GraphFloatType type, ReadOnlySpan<float> values, string name)
    {
        switch (type)
        {
            case GraphFloatType.Float32:
                return MemoryMarshal.AsBytes(values);
            case GraphFloatType.Float16:
                float largest = values.IsEmpty ? 0 : TensorPrimitives.MaxMagnitude(values);
                if (Math.Abs(largest) > (float)Half.MaxValue)
                {
                    throw new OverflowException($"The tensor '{name}' holds {largest.ToString(CultureInfo.InvariantCulture)}, beyond the ±65504 of half precision. Write the model as BFloat16 or Float32.");
                }

                Half[] halves = new Half[values.Length];
                TensorPrimitives.ConvertToHalf(values, halves);
                return MemoryMarshal.AsBytes<Half>(halves);
            default:
                ushort[] bits = new ushort[values.Length];
                for (int index = 0; index < bits.Length; index++)
                {
                    bits[index] = BFloat16Bits.Round(values[index]);
                }

                return MemoryMarshal.AsBytes<ushort>(bits);
        }
    }
}
