using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Aries.Managed;

namespace Aries.Benchmarks.Managed;

/// <summary>How fast this machine reads memory that no cache holds, one value after the other.</summary>
internal static class ReadBandwidth
{
    // 128 MiB, more than a third cache.
    private const int Length = 32 * 1024 * 1024;
    private const int Blocks = 64;

    private static readonly Lazy<float[]> Values = new(static () =>
    {
        float[] values = new float[Length];
        Array.Fill(values, 1f);
        return values;
    });

    /// <summary>Measures the best of several rounds, in GB/s over all threads of the pool.</summary>
    public static double Measure(WorkerPool pool, int repetitions = 4)
    {
        (float[] values, float[] sums) = (Values.Value, new float[Blocks * 16]);
        double best = 0;
        for (int repetition = 0; repetition < repetitions; repetition++)
        {
            double seconds = Clock.Seconds(pool, () => pool.Run(Blocks, (values, sums), static (state, block) =>
                state.sums[block * 16] = Sum(state.values.AsSpan(block * (Length / Blocks), Length / Blocks))));
            best = Math.Max(best, sizeof(float) * (double)Length / seconds / 1e9);
        }

        return best;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Sum(ReadOnlySpan<float> values)
    {
        Vector256<float> a = default, b = default, c = default, d = default;
        ReadOnlySpan<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(values);
        for (int index = 0; index + 4 <= vectors.Length; index += 4)
        {
            a += vectors[index];
            b += vectors[index + 1];
            c += vectors[index + 2];
            d += vectors[index + 3];
        }

        return Vector256.Sum(a + b + c + d);
    }
}
