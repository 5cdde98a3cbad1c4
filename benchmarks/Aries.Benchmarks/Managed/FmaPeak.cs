using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Aries.Managed;

namespace Aries.Benchmarks.Managed;

/// <summary>How many float32 operations this machine does when nothing but fused multiply-adds on registers runs.</summary>
internal static class FmaPeak
{
    private const int Rounds = 500_000;
    private const int Chains = 10;

    /// <summary>Measures the best of several rounds, in GFLOP/s over all threads of the pool.</summary>
    public static double Measure(WorkerPool pool, int repetitions = 12)
    {
        double best = 0;
        for (int repetition = 0; repetition < repetitions; repetition++)
        {
            double seconds = Clock.Seconds(pool, () => pool.Run(pool.ThreadCount, new float[pool.ThreadCount * 32], static (results, thread) => results[thread * 32] = VectorWidth.Default switch
            {
                512 => Loop512(),
                256 => Loop256(),
                _ => Loop128(),
            }));
            best = Math.Max(best, 2.0 * Chains * Rounds * (VectorWidth.Default / 32) * pool.ThreadCount / seconds / 1e9);
        }

        return best;
    }

    // Ten chains: two units with a latency of four cycles need eight, of five ten. The constants keep the sums finite.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Loop512()
    {
        Vector512<float> a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default, i = default, j = default;
        Vector512<float> x = Vector512.Create(0.5f), y = Vector512.Create(1f);
        for (int round = 0; round < Rounds; round++)
        {
            a = Vector512.FusedMultiplyAdd(a, x, y);
            b = Vector512.FusedMultiplyAdd(b, x, y);
            c = Vector512.FusedMultiplyAdd(c, x, y);
            d = Vector512.FusedMultiplyAdd(d, x, y);
            e = Vector512.FusedMultiplyAdd(e, x, y);
            f = Vector512.FusedMultiplyAdd(f, x, y);
            g = Vector512.FusedMultiplyAdd(g, x, y);
            h = Vector512.FusedMultiplyAdd(h, x, y);
            i = Vector512.FusedMultiplyAdd(i, x, y);
            j = Vector512.FusedMultiplyAdd(j, x, y);
        }

        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Loop256()
    {
        Vector256<float> a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default, i = default, j = default;
        Vector256<float> x = Vector256.Create(0.5f), y = Vector256.Create(1f);
        for (int round = 0; round < Rounds; round++)
        {
            a = Vector256.FusedMultiplyAdd(a, x, y);
            b = Vector256.FusedMultiplyAdd(b, x, y);
            c = Vector256.FusedMultiplyAdd(c, x, y);
            d = Vector256.FusedMultiplyAdd(d, x, y);
            e = Vector256.FusedMultiplyAdd(e, x, y);
            f = Vector256.FusedMultiplyAdd(f, x, y);
            g = Vector256.FusedMultiplyAdd(g, x, y);
            h = Vector256.FusedMultiplyAdd(h, x, y);
            i = Vector256.FusedMultiplyAdd(i, x, y);
            j = Vector256.FusedMultiplyAdd(j, x, y);
        }

        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Loop128()
    {
        Vector128<float> a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default, i = default, j = default;
        Vector128<float> x = Vector128.Create(0.5f), y = Vector128.Create(1f);
        for (int round = 0; round < Rounds; round++)
        {
            a = Vector128.FusedMultiplyAdd(a, x, y);
            b = Vector128.FusedMultiplyAdd(b, x, y);
            c = Vector128.FusedMultiplyAdd(c, x, y);
            d = Vector128.FusedMultiplyAdd(d, x, y);
            e = Vector128.FusedMultiplyAdd(e, x, y);
            f = Vector128.FusedMultiplyAdd(f, x, y);
            g = Vector128.FusedMultiplyAdd(g, x, y);
            h = Vector128.FusedMultiplyAdd(h, x, y);
            i = Vector128.FusedMultiplyAdd(i, x, y);
            j = Vector128.FusedMultiplyAdd(j, x, y);
        }

        return Vector128.Sum(a + b + c + d + e + f + g + h + i + j);
    }
}
