using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Aries.Preferences;

/// <summary>e^x on vectors, a lane's bits depending on that lane alone, with e^0 exactly 1.</summary>
/// <remarks>
/// <c>Vector.Exp</c> takes another path for all lanes when one is out of its fast range, so that a value's last bit depends on its neighbours, and its float form may give 1.0000001 at 0.
/// x = n·log 2 + r with |r| ≤ (log 2)/2; e^r is its Taylor polynomial; 2^n is written into the exponent. Results below the smallest normal number become 0.
/// </remarks>
internal static class VectorExp
{
    // Adding 1.5·2^52 rounds to an integer that then stands in the low bits.
    private const double RoundDouble = 6755399441055744.0;

    // log 2 in two parts; the first has trailing zeros, so that n times it is exact.
    private const double HighDouble = 6.93147180369123816490e-01;
    private const double LowDouble = 1.90821492927058770002e-10;
    private const float HighSingle = 0.693359375f;
    private const float LowSingle = -2.12194440e-4f;
    private const float InverseSingle = 1.44269504f;

    // 2^n is a normal number between these.
    private const float LowestSingle = -87.3f;
    private const float HighestSingle = 88.3f;

    // The minimax polynomial of Cephes' expf for e^r − 1 − r over r², to float32's precision.
    private const float P7 = 1.9875691500e-4f;
    private const float P6 = 1.3981999507e-3f;
    private const float P5 = 8.3334519073e-3f;
    private const float P4 = 4.1665795894e-2f;
    private const float P3 = 1.6666665459e-1f;
    private const float P2 = 5.0000001201e-1f;

    /// <summary>Within 2 units in the last place for x in [−708, 709]; 0 below; x above 709 is taken as 709.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<double> Exp(Vector<double> x)
    {
        Vector<double> clamped = Vector.Min(Vector.Max(x, Vector.Create(-708.0)), Vector.Create(709.0));
        Vector<double> rounded = (clamped * Vector.Create(1.4426950408889634)) + Vector.Create(RoundDouble);
        Vector<double> n = rounded - Vector.Create(RoundDouble);
        Vector<double> r = clamped - (n * Vector.Create(HighDouble)) - (n * Vector.Create(LowDouble));

        Vector<double> p = Vector.Create(1.0 / 6227020800);
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(1.0 / 479001600));
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(1.0 / 39916800));
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(1.0 / 3628800));
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(1.0 / 362880));
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(1.0 / 40320));
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(1.0 / 5040));
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(1.0 / 720));
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(1.0 / 120));
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(1.0 / 24));
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(1.0 / 6));
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(0.5));
        p = Vector.MultiplyAddEstimate(p, r * r, r) + Vector<double>.One;

        Vector<double> power = ((rounded.As<double, long>() << 52) + Vector<double>.One.As<double, long>()).As<long, double>();
        return Vector.ConditionalSelect(Vector.LessThan(x, Vector.Create(-708.0)), Vector<double>.Zero, p * power);
    }

    /// <summary>Within 2 units in the last place for x in [−87.3, 88.3]; 0 below; x above 88.3 is taken as 88.3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        // Of two operands, one of them NaN, the second is the result: NaN stays NaN.
        Vector512<float> bounded = Vector512.MinNative(Vector512.Create(HighestSingle), x);
        Vector512<float> n = Vector512.Round(bounded * Vector512.Create(InverseSingle));
        Vector512<float> r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-HighSingle), bounded);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-LowSingle), r);

        Vector512<float> p = Vector512.Create(P7);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(P6));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(P5));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(P4));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(P3));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(P2));
        p = Vector512.FusedMultiplyAdd(p, r * r, r) + Vector512<float>.One;

        Vector512<float> power = Vector512.ShiftLeft(Vector512.ConvertToInt32Native(n) + Vector512.Create(127), 23).AsSingle();
        return Vector512.ConditionalSelect(Vector512.LessThan(bounded, Vector512.Create(LowestSingle)), Vector512<float>.Zero, p * power);
    }

    /// <summary>The same bits in eight lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x)
    {
        Vector256<float> bounded = Vector256.MinNative(Vector256.Create(HighestSingle), x);
        Vector256<float> n = Vector256.Round(bounded * Vector256.Create(InverseSingle));
        Vector256<float> r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-HighSingle), bounded);
        r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-LowSingle), r);

        Vector256<float> p = Vector256.Create(P7);
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(P6));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(P5));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(P4));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(P3));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(P2));
        p = Vector256.FusedMultiplyAdd(p, r * r, r) + Vector256<float>.One;

        Vector256<float> power = Vector256.ShiftLeft(Vector256.ConvertToInt32Native(n) + Vector256.Create(127), 23).AsSingle();
        return Vector256.ConditionalSelect(Vector256.LessThan(bounded, Vector256.Create(LowestSingle)), Vector256<float>.Zero, p * power);
    }
}
