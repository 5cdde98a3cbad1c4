using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <summary>Root-mean-square normalisation of rows: y = w ⊙ x / √(mean(x²) + ε).</summary>
/// <remarks>Zhang and Sennrich 2019, <see href="https://arxiv.org/abs/1910.07467"/>, Eq. 4, with ε inside the root as Llama has it.</remarks>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static class RmsNorm
{
    /// <summary>Normalises every row.</summary>
    /// <param name="x">Shape [T, H].</param>
    /// <param name="weight">w. Shape [H].</param>
    /// <param name="epsilon">ε, greater than 0.</param>
    /// <param name="y">Receives the result; may be <paramref name="x"/> itself. Shape [T, H].</param>
    /// <param name="inverseRms">Receives 1 / √(mean(x²) + ε) of each row for <see cref="Backward"/>, or null. Shape [T] or longer.</param>
    /// <param name="pool">Shares the rows.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static void Forward(Matrix x, float[] weight, float epsilon, Matrix y, float[]? inverseRms, WorkerPool pool)
    {
        Check(x, weight, y, inverseRms);
        pool.RunBlocks(x.Rows, BlockRows.RowsPerBlock(x), (x, weight, epsilon, y, inverseRms), static (state, start, end) =>
        {
            for (int row = start; row < end; row++)
            {
                float inverse = ForwardRow(state.x.Row(row), state.weight, state.epsilon, state.y.Row(row));
                if (state.inverseRms is not null)
                {
                    state.inverseRms[row] = inverse;
                }
            }
        });
    }

    /// <summary>Adds the gradient of the rows, and of the weights where wanted.</summary>
    /// <param name="x">What <see cref="Forward"/> was given. Shape [T, H].</param>
    /// <param name="weight">w. Shape [H].</param>
    /// <param name="inverseRms">What <see cref="Forward"/> left. Shape [T] or longer.</param>
    /// <param name="yGradient">∂L/∂y. Shape [T, H].</param>
    /// <param name="xGradient">∂L/∂x is added to it; must not be <paramref name="yGradient"/>. Shape [T, H].</param>
    /// <param name="weightGradient">∂L/∂w is added to it, or null. Shape [H].</param>
    /// <param name="blockSums">A buffer for the sums over blocks of rows, which are the same for any number of threads.</param>
    /// <param name="pool">Shares the blocks.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static void Backward(
        Matrix x, float[] weight, float[] inverseRms, Matrix yGradient, Matrix xGradient, float[]? weightGradient, ref float[] blockSums, WorkerPool pool)
    {
        Check(x, weight, yGradient, inverseRms);
        Check(x, weight, xGradient, inverseRms);
        int rowsPerBlock = BlockRows.RowsPerBlock(x);
        int blocks = (x.Rows + rowsPerBlock - 1) / rowsPerBlock;
        float[]? sums = null;
        if (weightGradient is not null)
        {
            RowKernels.CheckLengths(weightGradient.Length, x.Columns);
            sums = Buffers.Ensure(ref blockSums, blocks * x.Columns);
        }

        pool.RunBlocks(x.Rows, rowsPerBlock, (x, weight, inverseRms, yGradient, xGradient, sums, rowsPerBlock), static (state, start, end) =>
        {
            Span<float> sum = state.sums is null ? [] : state.sums.AsSpan(start / state.rowsPerBlock * state.x.Columns, state.x.Columns);
            sum.Clear();
            for (int row = start; row < end; row++)
            {
                BackwardRow(state.x.Row(row), state.weight, state.inverseRms[row], state.yGradient.Row(row), state.xGradient.Row(row), sum);
            }
        });

        for (int block = 0; block < blocks && weightGradient is not null; block++)
        {
            RowKernels.Add(sums.AsSpan(block * x.Columns, x.Columns), weightGradient);
        }
    }

    private static float ForwardRow(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float epsilon, Span<float> y)
    {
        float inverse = (float)(1 / Math.Sqrt((RowKernels.Dot(x, x) / (double)x.Length) + epsilon));
        Vector256<float> factor = Vector256.Create(inverse);
        for (int index = 0; index < x.Length; index += Lanes.Count)
        {
            Lanes.Store(Lanes.Load(x, index) * factor * Lanes.Load(weight, index), y, index);
        }

        return inverse;
    }

    // With r = inverseRms and x̂ = x·r: ∂L/∂x = r·(w·g − x̂·mean(w·g·x̂)), and ∂L/∂w = Σ g·x̂ where there is a sum to add to.
    private static void BackwardRow(
        ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float inverse, ReadOnlySpan<float> yGradient, Span<float> xGradient, Span<float> weightSum)
    {
        Vector256<float> even = Vector256<float>.Zero;
        for (int index = 0; index < x.Length; index += Lanes.Count)
        {
            even = Lanes.MultiplyAdd(Lanes.Load(weight, index) * Lanes.Load(yGradient, index), Lanes.Load(x, index), even);
        }

        float mean = Lanes.Sum(even) / x.Length;
        Vector256<float> r = Vector256.Create(inverse);
        Vector256<float> pull = Vector256.Create(-mean * inverse * inverse * inverse);
        for (int index = 0; index < x.Length; index += Lanes.Count)
        {
            Vector256<float> direct = Lanes.MultiplyAdd(Lanes.Load(weight, index) * Lanes.Load(yGradient, index), r, Lanes.Load(xGradient, index));
            Lanes.Store(Lanes.MultiplyAdd(Lanes.Load(x, index), pull, direct), xGradient, index);
        }

        for (int index = 0; index < weightSum.Length; index += Lanes.Count)
        {
            Lanes.Store(Lanes.MultiplyAdd(Lanes.Load(yGradient, index), Lanes.Load(x, index) * r, Lanes.Load(weightSum, index)), weightSum, index);
        }
    }

    private static void Check(Matrix x, float[] weight, Matrix other, float[]? inverseRms)
    {
        if (weight.Length != x.Columns || other.Rows != x.Rows || other.Columns != x.Columns)
        {
            throw new ArgumentException(
                $"The shape [{x.Rows}, {x.Columns}] needs a weight a column, not {weight.Length}, and equal shapes, not [{other.Rows}, {other.Columns}].");
        }

        if (inverseRms?.Length < x.Rows)
        {
            throw new ArgumentException($"There are {x.Rows} rows and room for the inverse roots of {inverseRms.Length}.", nameof(inverseRms));
        }
    }
}
