using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <summary>What a layer does to one row at a time. A row's result depends on that row's values alone, never on where they lie in memory.</summary>
internal static class RowMath
{
    /// <summary>output = x ÷ √(mean(x²) + ε) × weight. Zhang and Sennrich 2019, <see href="https://arxiv.org/abs/1910.07467"/>, Eq. 4.</summary>
    public static void Normalize(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float epsilon, Span<float> output)
    {
        float scale = InverseRootMeanSquare(x, epsilon);
        TensorPrimitives.Multiply(x, scale, output);
        TensorPrimitives.Multiply(output, weight, output);
    }

    /// <summary>Adds the norm's input gradient to <paramref name="inputGradient"/>.</summary>
    /// <remarks>With r = 1 ÷ √(mean(x²) + ε) and g = gradient × weight: ∂x = r·g − x·r³·mean(g·x).</remarks>
    public static void NormalizeBackward(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, ReadOnlySpan<float> gradient, float epsilon, Span<float> inputGradient)
    {
        float scale = InverseRootMeanSquare(x, epsilon);
        float mean = WeightedDot(gradient, weight, x) / x.Length;
        float pull = -scale * scale * scale * mean;
        for (int i = 0; i < x.Length; i++)
        {
            inputGradient[i] += (scale * gradient[i] * weight[i]) + (pull * x[i]);
        }
    }

    public static float InverseRootMeanSquare(ReadOnlySpan<float> x, float epsilon) => 1 / MathF.Sqrt((Dot(x, x) / x.Length) + epsilon);

    /// <summary>Σ aᵢ·bᵢ in an order that the length alone fixes: TensorPrimitives may begin at an aligned address, and an array moves.</summary>
    public static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        ref float left = ref MemoryMarshal.GetReference(a);
        ref float right = ref MemoryMarshal.GetReference(b);
        Vector512<float> sum = Vector512<float>.Zero;
        nuint i = 0;
        nuint length = (nuint)Math.Min(a.Length, b.Length);
        for (; i + 16 <= length; i += 16)
        {
            sum = Vector512.FusedMultiplyAdd(Vector512.LoadUnsafe(ref left, i), Vector512.LoadUnsafe(ref right, i), sum);
        }

        float total = Vector512.Sum(sum);
        for (; i < length; i++)
        {
            total += a[(int)i] * b[(int)i];
        }

        return total;
    }

    /// <summary>output = SiLU(gate) × up, SiLU(x) = x·σ(x). Shazeer 2020, <see href="https://arxiv.org/abs/2002.05202"/>, Eq. 6.</summary>
    public static void GatedUnit(ReadOnlySpan<float> gate, ReadOnlySpan<float> up, Span<float> output)
    {
        ref float g = ref MemoryMarshal.GetReference(gate);
        ref float u = ref MemoryMarshal.GetReference(up);
        ref float o = ref MemoryMarshal.GetReference(output);
        nuint i = 0;
        for (; i + 16 <= (nuint)gate.Length; i += 16)
        {
            Vector512<float> x = Vector512.LoadUnsafe(ref g, i);
            (x * Sigmoid(x) * Vector512.LoadUnsafe(ref u, i)).StoreUnsafe(ref o, i);
        }

        if (i < (nuint)gate.Length)
        {
            Vector512<float> x = Tail(gate[(int)i..]);
            StoreTail(x * Sigmoid(x) * Tail(up[(int)i..]), output[(int)i..]);
        }
    }

    /// <summary>From the gradient of <see cref="GatedUnit"/>'s output, those of gate and up; may write over its inputs.</summary>
    public static void GatedUnitBackward(
        ReadOnlySpan<float> gate, ReadOnlySpan<float> up, ReadOnlySpan<float> gradient, Span<float> gateGradient, Span<float> upGradient)
    {
        for (int i = 0; i < gate.Length; i += 16)
        {
            int count = Math.Min(16, gate.Length - i);
            Vector512<float> x = Tail(gate.Slice(i, count));
            Vector512<float> d = Tail(gradient.Slice(i, count));
            Vector512<float> sigmoid = Sigmoid(x);
            Vector512<float> silu = x * sigmoid;
            Vector512<float> slope = sigmoid + (silu * (Vector512<float>.One - sigmoid));
            StoreTail(d * Tail(up.Slice(i, count)) * slope, gateGradient.Slice(i, count));
            StoreTail(d * silu, upGradient.Slice(i, count));
        }
    }

    private static Vector512<float> Sigmoid(Vector512<float> x) => Vector512<float>.One / (Vector512<float>.One + Vector512.Exp(-x));

    private static float WeightedDot(ReadOnlySpan<float> a, ReadOnlySpan<float> b, ReadOnlySpan<float> c)
    {
        Vector512<float> sum = Vector512<float>.Zero;
        for (int i = 0; i < a.Length; i += 16)
        {
            int count = Math.Min(16, a.Length - i);
            sum += Tail(a.Slice(i, count)) * Tail(b.Slice(i, count)) * Tail(c.Slice(i, count));
        }

        return Vector512.Sum(sum);
    }

    private static Vector512<float> Tail(ReadOnlySpan<float> values)
    {
        if (values.Length >= 16)
        {
            return Vector512.Create(values);
        }

        Span<float> padded = stackalloc float[16];
        padded.Clear();
        values.CopyTo(padded);
        return Vector512.Create((ReadOnlySpan<float>)padded);
    }

    private static void StoreTail(Vector512<float> vector, Span<float> values)
    {
        if (values.Length >= 16)
        {
            vector.CopyTo(values);
            return;
        }

        Span<float> padded = stackalloc float[16];
        vector.CopyTo(padded);
        padded[..values.Length].CopyTo(values);
    }
}
