using System.Numerics;
using System.Runtime.CompilerServices;

namespace Aries.Preferences;

/// <summary>Log-sigmoid and its relatives in forms that neither overflow nor cancel.</summary>
/// <remarks>
/// <para>
/// log σ(x) is written as min(x, 0) − log1p(exp(−|x|)): Log(Sigmoid(x)) is −∞ in double below x ≈ −745, and loses all digits above x ≈ 37. Every span overload gives an element the same bits
/// wherever it stands in the span, so that a pair's loss does not depend on its neighbours; on finite input it is within 4 units in the last place of the exact value, or within the smallest
/// normal number of it.
/// </para>
/// <para>NaN goes in, NaN comes out; ±∞ gives the limit.</para>
/// </remarks>
/// <threadsafety>Stateless; every member may be called concurrently on memory that no other call writes.</threadsafety>
public static class StableMath
{
    private static int Width => Vector<double>.Count;

    /// <summary>Computes log σ(x) = −log(1 + e^−x).</summary>
    /// <param name="x">Any number.</param>
    /// <returns>At most 0, in nats.</returns>
    public static double LogSigmoid(double x) => -Softplus(-x);

    /// <summary>Computes log σ(x) for each element.</summary>
    /// <param name="x">The arguments. Shape [N].</param>
    /// <param name="destination">Receives the results; may be <paramref name="x"/> itself. Shape [N].</param>
    /// <exception cref="ArgumentException">The spans differ in length, or overlap without being the same.</exception>
    public static void LogSigmoid(ReadOnlySpan<double> x, Span<double> destination)
    {
        CheckSpans(x, destination, nameof(destination));
        Map<LogSigmoidOperation>(x, destination);
    }

    /// <summary>Computes softplus(x) = log(1 + e^x) = −log σ(−x).</summary>
    /// <param name="x">Any number.</param>
    /// <returns>At least 0, in nats.</returns>
    public static double Softplus(double x) => Softplus(new Vector<double>(x))[0];

    /// <summary>Computes softplus(x) for each element.</summary>
    /// <param name="x">The arguments. Shape [N].</param>
    /// <param name="destination">Receives the results; may be <paramref name="x"/> itself. Shape [N].</param>
    /// <exception cref="ArgumentException">The spans differ in length, or overlap without being the same.</exception>
    public static void Softplus(ReadOnlySpan<double> x, Span<double> destination)
    {
        CheckSpans(x, destination, nameof(destination));
        Map<SoftplusOperation>(x, destination);
    }

    /// <summary>Computes σ(x) = 1 / (1 + e^−x).</summary>
    /// <param name="x">Any number.</param>
    /// <returns>A value in [0, 1].</returns>
    public static double Sigmoid(double x) => Sigmoid(new Vector<double>(x), out _)[0];

    /// <summary>Computes σ(x) for each element.</summary>
    /// <param name="x">The arguments. Shape [N].</param>
    /// <param name="destination">Receives the results; may be <paramref name="x"/> itself. Shape [N].</param>
    /// <exception cref="ArgumentException">The spans differ in length, or overlap without being the same.</exception>
    public static void Sigmoid(ReadOnlySpan<double> x, Span<double> destination)
    {
        CheckSpans(x, destination, nameof(destination));
        Map<SigmoidOperation>(x, destination);
    }

    /// <summary>Computes log Σ exp(x_v) of one row of logits.</summary>
    /// <param name="logits">The row; −∞ is allowed and stands for probability 0. Shape [V], V at least 1.</param>
    /// <returns>The logarithm of the sum, in nats, within the error that <see cref="LogSoftmaxKernel"/> states.</returns>
    /// <exception cref="ArgumentException">The row is empty, holds NaN or +∞, or −∞ only.</exception>
    public static double LogSumExp(ReadOnlySpan<float> logits)
    {
        double result = 0;
        LogSoftmaxKernel.LogSumExps(logits, Math.Max(1, logits.Length), new Span<double>(ref result)[..Math.Min(1, logits.Length)]);
        return logits.IsEmpty ? throw new ArgumentException("The row of logits is empty.", nameof(logits)) : result;
    }

    /// <summary>softplus(x) and its derivative σ(x), with one exponential for both.</summary>
    internal static void SoftplusAndSigmoid(ReadOnlySpan<double> x, Span<double> softplus, Span<double> sigmoid)
    {
        int i = 0;
        for (; i <= x.Length - Width; i += Width)
        {
            Softplus(new Vector<double>(x[i..]), out Vector<double> slope).CopyTo(softplus[i..]);
            slope.CopyTo(sigmoid[i..]);
        }

        if (i < x.Length)
        {
            StoreTail(Softplus(LoadTail(x[i..]), out Vector<double> slope), softplus[i..]);
            StoreTail(slope, sigmoid[i..]);
        }
    }

    /// <summary>σ(x) and its derivative σ(x)·σ(−x), which does not cancel for large x as σ·(1 − σ) does.</summary>
    internal static void SigmoidAndDerivative(ReadOnlySpan<double> x, Span<double> sigmoid, Span<double> derivative)
    {
        int i = 0;
        for (; i <= x.Length - Width; i += Width)
        {
            Sigmoid(new Vector<double>(x[i..]), out Vector<double> slope).CopyTo(sigmoid[i..]);
            slope.CopyTo(derivative[i..]);
        }

        if (i < x.Length)
        {
            StoreTail(Sigmoid(LoadTail(x[i..]), out Vector<double> slope), sigmoid[i..]);
            StoreTail(slope, derivative[i..]);
        }
    }

    /// <summary>e^x for x at most 709.</summary>
    internal static void Exp(ReadOnlySpan<double> x, Span<double> destination) => Map<ExpOperation>(x, destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<double> Softplus(Vector<double> x) =>
        Vector.Max(x, Vector<double>.Zero) + LogOnePlus(VectorExp.Exp(-Vector.Abs(x)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<double> Softplus(Vector<double> x, out Vector<double> sigmoid)
    {
        Vector<double> u = VectorExp.Exp(-Vector.Abs(x));
        sigmoid = Sigmoid(x, u, out _);
        return Vector.Max(x, Vector<double>.Zero) + LogOnePlus(u);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<double> Sigmoid(Vector<double> x, out Vector<double> derivative) =>
        Sigmoid(x, VectorExp.Exp(-Vector.Abs(x)), out derivative);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<double> Sigmoid(Vector<double> x, Vector<double> u, out Vector<double> derivative)
    {
        // With u = e^−|x|: σ(|x|) = 1 / (1 + u), σ(−|x|) = u / (1 + u).
        Vector<double> large = Vector<double>.One / (Vector<double>.One + u);
        Vector<double> small = u * large;
        derivative = large * small;
        return Vector.ConditionalSelect(Vector.LessThan(x, Vector<double>.Zero), small, large);
    }

    // log(1 + u) for u in [0, 1] is 2·artanh(s) with s = u / (2 + u) at most 1/3, and the series of artanh in s² has no cancellation: its 18th term is below 2e-18 of the first.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<double> LogOnePlus(Vector<double> u)
    {
        Vector<double> s = u / (u + Vector.Create(2.0));
        Vector<double> t = s * s;
        Vector<double> p = Vector.Create(1.0 / 33);
        p = Vector.MultiplyAddEstimate(p, t, Vector.Create(1.0 / 31));
        p = Vector.MultiplyAddEstimate(p, t, Vector.Create(1.0 / 29));
        p = Vector.MultiplyAddEstimate(p, t, Vector.Create(1.0 / 27));
        p = Vector.MultiplyAddEstimate(p, t, Vector.Create(1.0 / 25));
        p = Vector.MultiplyAddEstimate(p, t, Vector.Create(1.0 / 23));
        p = Vector.MultiplyAddEstimate(p, t, Vector.Create(1.0 / 21));
        p = Vector.MultiplyAddEstimate(p, t, Vector.Create(1.0 / 19));
        p = Vector.MultiplyAddEstimate(p, t, Vector.Create(1.0 / 17));
        p = Vector.MultiplyAddEstimate(p, t, Vector.Create(1.0 / 15));
        p = Vector.MultiplyAddEstimate(p, t, Vector.Create(1.0 / 13));
        p = Vector.MultiplyAddEstimate(p, t, Vector.Create(1.0 / 11));
        p = Vector.MultiplyAddEstimate(p, t, Vector.Create(1.0 / 9));
        p = Vector.MultiplyAddEstimate(p, t, Vector.Create(1.0 / 7));
        p = Vector.MultiplyAddEstimate(p, t, Vector.Create(1.0 / 5));
        p = Vector.MultiplyAddEstimate(p, t, Vector.Create(1.0 / 3));
        p *= t;
        Vector<double> twice = s + s;
        return Vector.MultiplyAddEstimate(twice, p, twice);
    }

    private static void Map<TOperation>(ReadOnlySpan<double> x, Span<double> destination)
        where TOperation : struct, IOperation
    {
        int i = 0;
        for (; i <= x.Length - Width; i += Width)
        {
            TOperation.Invoke(new Vector<double>(x[i..])).CopyTo(destination[i..]);
        }

        if (i < x.Length)
        {
            StoreTail(TOperation.Invoke(LoadTail(x[i..])), destination[i..]);
        }
    }

    private static Vector<double> LoadTail(ReadOnlySpan<double> x)
    {
        Span<double> padded = stackalloc double[Width];
        padded.Clear();
        x.CopyTo(padded);
        return new Vector<double>(padded);
    }

    private static void StoreTail(Vector<double> v, Span<double> destination)
    {
        Span<double> padded = stackalloc double[Width];
        v.CopyTo(padded);
        padded[..destination.Length].CopyTo(destination);
    }

    private static void CheckSpans(ReadOnlySpan<double> x, Span<double> destination, string name)
    {
        if (x.Length != destination.Length)
        {
            throw new ArgumentException($"The destination holds {destination.Length} elements for {x.Length} arguments.", name);
        }

        if (x.Overlaps(destination, out int offset) && offset != 0)
        {
            throw new ArgumentException("The destination overlaps the arguments without being the same span.", name);
        }
    }

    private interface IOperation
    {
        static abstract Vector<double> Invoke(Vector<double> x);
    }

    private readonly struct LogSigmoidOperation : IOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector<double> Invoke(Vector<double> x) => -Softplus(-x);
    }

    private readonly struct SoftplusOperation : IOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector<double> Invoke(Vector<double> x) => Softplus(x);
    }

    private readonly struct ExpOperation : IOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector<double> Invoke(Vector<double> x) => VectorExp.Exp(x);
    }

    private readonly struct SigmoidOperation : IOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector<double> Invoke(Vector<double> x) => Sigmoid(x, out _);
    }
}
