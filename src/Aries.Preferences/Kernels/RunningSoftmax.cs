using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Aries.Preferences;

/// <summary>What is known of one row's softmax after a part of its logits, for an engine that computes a row part by part and never holds the whole of it.</summary>
/// <remarks>
/// <para>
/// Milakov and Gimelshein 2018, <see href="https://arxiv.org/abs/1805.02867"/>, Algorithm 3, a part at a time instead of a logit at a time. With m the largest logit so far, and m' that of a
/// new part where it is larger:
/// </para>
/// <code>
/// s = Σ_v exp(x_v − m)              s ← s · exp(m − m') + Σ_part exp(x_v − m')
/// e = Σ_v exp(x_v − m) · (x_v − m)  e ← (e + (m − m') · s) · exp(m − m') + Σ_part exp(x_v − m') · (x_v − m')
/// log Σ exp = m + log s             entropy = log s − e / s
/// </code>
/// <para>
/// The maximum of a part is found first, so a part is read twice: a few thousand logits stay in the nearest cache between the two. Sums are taken in 16 lanes, in float over runs of 16 and in
/// double from there, whatever the processor is wide: every vector width gives the same bits. They depend on where a row is cut, so cut every row in the same places.
/// The error is the one that <see cref="LogSoftmaxKernel"/> states.
/// </para>
/// <para>The default value has seen no logits. NaN or +∞ among the logits makes both results NaN.</para>
/// </remarks>
/// <threadsafety>A mutable value: a row belongs to one thread at a time.</threadsafety>
public struct RunningSoftmax
{
    // e^x of anything below −87.3 is 0 here; the bound keeps 0 · (−∞) out of the entropy.
    private const float Lowest = -88f;

    private static int Width => Vector512<float>.Count;

    // Runs of 16 vectors are summed in float, then flushed to double: a lane's 16 roundings of 2^-24 stay near the error of the exponential itself.
    private static int Run => 16 * Width;

    private float _shift;
    private double _sum;
    private double _moment;

    /// <summary>Gets the largest logit so far; −∞ where all had probability 0.</summary>
    public readonly float Maximum => _sum == 0 ? float.NegativeInfinity : _shift;

    /// <summary>Gets log Σ exp over the logits so far, in nats; −∞ where all had probability 0, NaN where one was NaN or +∞.</summary>
    public readonly double LogSumExp => Maximum + Math.Log(_sum);

    /// <summary>Gets the entropy of the softmax over the logits so far, in nats; NaN where <see cref="LogSumExp"/> is not finite.</summary>
    public readonly double Entropy => Math.Log(_sum) - (_moment / _sum);

    /// <summary>Takes the next part of the row.</summary>
    /// <param name="logits">The logits; −∞ stands for probability 0. Shape [part].</param>
    public void Add(ReadOnlySpan<float> logits)
    {
        // The sums alone write nothing, so that a view of memory that is only read may be passed on.
        Span<float> part = MemoryMarshal.CreateSpan(ref MemoryMarshal.GetReference(logits), logits.Length);
        MoveTo(part);
        Fold<SumsOnly>(part);
    }

    /// <summary>Takes the next part of the row, and replaces its logits by exp(x − <see cref="Maximum"/>).</summary>
    /// <param name="logits">The logits; receives the exponentials, which are softmax(x) · exp(<see cref="LogSumExp"/> − <see cref="Maximum"/>) with the values of after this call. Shape [part].</param>
    /// <returns>exp(maximum before − maximum now), at most 1: the factor of all that was summed from the exponentials of earlier parts.</returns>
    public double Exponentiate(Span<float> logits)
    {
        double factor = MoveTo(logits);
        Fold<Exponentials>(logits);
        return factor;
    }

    private double MoveTo(ReadOnlySpan<float> part)
    {
        float maximum = Max(part);
        if (_sum == 0)
        {
            // Finite even for a part of nothing but −∞: −∞ − −∞ would be NaN.
            _shift = MathF.Max(maximum, float.MinValue);
            return 1;
        }

        float shift = MathF.Max(_shift, maximum);
        if (shift == _shift)
        {
            return 1;
        }

        double moved = (double)_shift - shift;
        double factor = Math.Exp(moved);
        _moment = (_moment + (moved * _sum)) * factor;
        _sum *= factor;
        _shift = shift;
        return factor;
    }

    private void Fold<TKind>(Span<float> part)
        where TKind : struct, IKind
    {
        ref float start = ref MemoryMarshal.GetReference(part);
        Vector512<float> shifts = Vector512.Create(_shift);
        int i = 0;
        while (i + Width <= part.Length)
        {
            int end = Math.Min(part.Length - Width, i + Run - Width);
            Vector512<float> runSum = default;
            Vector512<float> runMoment = default;
            for (; i <= end; i += Width)
            {
                Vector512<float> shifted = Shifted(Vector512.LoadUnsafe(ref start, (nuint)i), shifts);
                Vector512<float> exponential = VectorExp.Exp(shifted);
                if (TKind.Stores)
                {
                    exponential.StoreUnsafe(ref start, (nuint)i);
                }

                runSum += exponential;
                runMoment = Vector512.FusedMultiplyAdd(exponential, shifted, runMoment);
            }

            _sum += SumWide(runSum);
            _moment += SumWide(runMoment);
        }

        if (i < part.Length)
        {
            Vector512<float> shifted = Shifted(LoadEnd(part[i..], float.NegativeInfinity), shifts);
            Vector512<float> exponential = VectorExp.Exp(shifted);
            if (TKind.Stores)
            {
                StoreEnd(exponential, part[i..]);
            }

            _sum += SumWide(exponential);
            _moment += SumWide(exponential * shifted);
        }
    }

    // Where an operand is NaN, the second is the result: NaN among the logits must reach the sum.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Shifted(Vector512<float> logits, Vector512<float> shifts) => Vector512.MaxNative(Vector512.Create(Lowest), logits - shifts);

    // NaN may be lost here; the sum finds it.
    private static float Max(ReadOnlySpan<float> part)
    {
        Vector512<float> even = Vector512.Create(float.NegativeInfinity);
        Vector512<float> odd = even;
        ref float start = ref MemoryMarshal.GetReference(part);
        int i = 0;
        for (; i + (2 * Width) <= part.Length; i += 2 * Width)
        {
            even = Vector512.MaxNative(even, Vector512.LoadUnsafe(ref start, (nuint)i));
            odd = Vector512.MaxNative(odd, Vector512.LoadUnsafe(ref start, (nuint)(i + Width)));
        }

        for (; i < part.Length; i += Width)
        {
            Vector512<float> last = i + Width <= part.Length ? Vector512.LoadUnsafe(ref start, (nuint)i) : LoadEnd(part[i..], float.NegativeInfinity);
            even = Vector512.MaxNative(even, last);
        }

        even = Vector512.Max(even, odd);
        Vector256<float> eight = Vector256.Max(even.GetLower(), even.GetUpper());
        Vector128<float> four = Vector128.Max(eight.GetLower(), eight.GetUpper());
        return MathF.Max(MathF.Max(four[0], four[1]), MathF.Max(four[2], four[3]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double SumWide(Vector512<float> values)
    {
        (Vector512<double> lower, Vector512<double> upper) = Vector512.Widen(values);
        Vector512<double> eight = lower + upper;
        Vector256<double> four = eight.GetLower() + eight.GetUpper();
        Vector128<double> two = four.GetLower() + four.GetUpper();
        return two[0] + two[1];
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static Vector512<float> LoadEnd(ReadOnlySpan<float> end, float filler)
    {
        Span<float> padded = stackalloc float[Vector512<float>.Count];
        padded.Fill(filler);
        end.CopyTo(padded);
        return Vector512.Create<float>(padded);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void StoreEnd(Vector512<float> values, Span<float> end)
    {
        Span<float> padded = stackalloc float[Vector512<float>.Count];
        values.CopyTo(padded);
        padded[..end.Length].CopyTo(end);
    }

    private interface IKind
    {
        static abstract bool Stores { get; }
    }

    private readonly struct SumsOnly : IKind
    {
        public static bool Stores
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => false;
        }
    }

    private readonly struct Exponentials : IKind
    {
        public static bool Stores
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => true;
        }
    }
}
