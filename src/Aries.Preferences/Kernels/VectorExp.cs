using System.Numerics;
using System.Runtime.CompilerServices;

namespace Aries.Preferences;

/// <summary>e^x on vectors, a lane's bits depending on that lane alone, with e^0 exactly 1.</summary>
/// <remarks>
/// <c>Vector.Exp</c> takes another path for all lanes when one is out of its fast range, so that a value's last bit depends on its neighbours, and its float form may give 1.0000001 at 0.
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

    /// <summary>Within 2e-7 relative for x in [−87, 88]; 0 below; x above 88 is taken as 88.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Exp(Vector<float> x)
    {
        Vector<float> clamped = Vector.Min(Vector.Max(x, Vector.Create(-87f)), Vector.Create(88f));
        Vector<float> rounded = (clamped * Vector.Create(1.44269504f)) + Vector.Create(RoundSingle);
        Vector<float> n = rounded - Vector.Create(RoundSingle);
        Vector<float> r = clamped - (n * Vector.Create(HighSingle)) - (n * Vector.Create(LowSingle));

        Vector<float> p = Vector.Create(1f / 5040);
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(1f / 720));
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(1f / 120));
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(1f / 24));
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(1f / 6));
        p = Vector.MultiplyAddEstimate(p, r, Vector.Create(0.5f));
        p = Vector.MultiplyAddEstimate(p, r * r, r) + Vector<float>.One;

        Vector<float> power = ((rounded.As<float, int>() << 23) + Vector<float>.One.As<float, int>()).As<int, float>();
        return Vector.ConditionalSelect(Vector.LessThan(x, Vector.Create(-87f)), Vector<float>.Zero, p * power);
    }
}
