using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Aries.Preferences;

/// <summary>e^x on vectors, a lane's bits depending on that lane alone, with e^0 exactly 1.</summary>
/// <remarks>
/// <c>Vector512.Exp</c> takes another path for all lanes when one is out of its fast range, so that a value's last bit depends on its neighbours, and its float form gives 1.0000001 at 0.
/// x = n·log 2 + r with |r| ≤ (log 2)/2; e^r is its Taylor polynomial; 2^n is written into the exponent. Results below the smallest normal number become 0.
/// </remarks>
internal static class VectorExp
{
    // Adding 1.5·2^52 (1.5·2^23) rounds to an integer that then stands in the low bits.
    private const double RoundDouble = 6755399441055744.0;
    private const float RoundSingle = 12582912f;

    // log 2 in two parts; the first has trailing zeros, so that n times it is exact.
    private const double HighDouble = 6.93147180369123816490e-01;
    private const double LowDouble = 1.90821492927058770002e-10;
    private const float HighSingle = 0.693359375f;
    private const float LowSingle = -2.12194440e-4f;

    /// <summary>Within 2 units in the last place for x in [−708, 709]; 0 below; x above 709 is taken as 709.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Exp(Vector512<double> x)
    {
        Vector512<double> clamped = Vector512.Min(Vector512.Max(x, Vector512.Create(-708.0)), Vector512.Create(709.0));
        Vector512<double> rounded = (clamped * Vector512.Create(1.4426950408889634)) + Vector512.Create(RoundDouble);
        Vector512<double> n = rounded - Vector512.Create(RoundDouble);
        Vector512<double> r = clamped - (n * Vector512.Create(HighDouble)) - (n * Vector512.Create(LowDouble));

        Vector512<double> p = Vector512.Create(1.0 / 6227020800);
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1.0 / 479001600));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1.0 / 39916800));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1.0 / 3628800));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1.0 / 362880));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1.0 / 40320));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1.0 / 5040));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1.0 / 720));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1.0 / 120));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1.0 / 24));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1.0 / 6));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(0.5));
        p = Vector512.MultiplyAddEstimate(p, r * r, r) + Vector512<double>.One;

        Vector512<double> power = ((rounded.AsInt64() << 52) + Vector512<double>.One.AsInt64()).AsDouble();
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(-708.0)), Vector512<double>.Zero, p * power);
    }

    /// <summary>Within 2e-7 relative for x in [−87, 88]; 0 below; x above 88 is taken as 88.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        Vector512<float> clamped = Vector512.Min(Vector512.Max(x, Vector512.Create(-87f)), Vector512.Create(88f));
        Vector512<float> rounded = (clamped * Vector512.Create(1.44269504f)) + Vector512.Create(RoundSingle);
        Vector512<float> n = rounded - Vector512.Create(RoundSingle);
        Vector512<float> r = clamped - (n * Vector512.Create(HighSingle)) - (n * Vector512.Create(LowSingle));

        Vector512<float> p = Vector512.Create(1f / 5040);
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1f / 720));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1f / 120));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1f / 24));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1f / 6));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(0.5f));
        p = Vector512.MultiplyAddEstimate(p, r * r, r) + Vector512<float>.One;

        Vector512<float> power = ((rounded.AsInt32() << 23) + Vector512<float>.One.AsInt32()).AsSingle();
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(-87f)), Vector512<float>.Zero, p * power);
    }
}
