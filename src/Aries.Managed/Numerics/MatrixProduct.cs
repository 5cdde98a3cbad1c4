using System.Numerics.Tensors;

namespace Aries.Managed;

/// <summary>Products of float32 matrices.</summary>
/// <remarks>
/// An element of the result depends only on its row of the first factor, its column of the second and their length: never on the size of the rest,
/// on where it lies, or on the number of threads. So a sequence gets the same numbers alone and in a batch.
/// </remarks>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static class MatrixProduct
{
    /// <summary>Computes c = a·bᵀ, or c += a·bᵀ: a projection, whose weights lie as [outputs, inputs].</summary>
    /// <param name="a">Shape [M, K].</param>
    /// <param name="b">Shape [N, K].</param>
    /// <param name="c">Receives the product; overlaps no factor. Shape [M, N].</param>
    /// <param name="accumulate">Whether the product is added to what <paramref name="c"/> holds.</param>
    /// <param name="pool">Shares the work.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static void TimesTransposed(Matrix a, Matrix b, Matrix c, bool accumulate, WorkerPool pool)
    {
        Check(a.Columns == b.Columns && c.Rows == a.Rows && c.Columns == b.Rows, a, b, c);
        pool.Run(a.Rows, (a, b, c, accumulate), static (state, row) =>
        {
            ReadOnlySpan<float> left = state.a.Row(row);
            Span<float> result = state.c.Row(row);
            for (int column = 0; column < result.Length; column++)
            {
                float product = TensorPrimitives.Dot(left, state.b.Row(column));
                result[column] = state.accumulate ? result[column] + product : product;
            }
        });
    }

    /// <summary>Computes c = a·b, or c += a·b: the gradient of a projection's inputs.</summary>
    /// <param name="a">Shape [M, K].</param>
    /// <param name="b">Shape [K, N].</param>
    /// <param name="c">Receives the product; overlaps no factor. Shape [M, N].</param>
    /// <param name="accumulate">Whether the product is added to what <paramref name="c"/> holds.</param>
    /// <param name="pool">Shares the work.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static void Times(Matrix a, Matrix b, Matrix c, bool accumulate, WorkerPool pool)
    {
        Check(a.Columns == b.Rows && c.Rows == a.Rows && c.Columns == b.Columns, a, b, c);
        pool.Run(a.Rows, (a, b, c, accumulate), static (state, row) =>
        {
            ReadOnlySpan<float> left = state.a.Row(row);
            Span<float> result = state.c.Row(row);
            if (!state.accumulate)
            {
                result.Clear();
            }

            for (int k = 0; k < left.Length; k++)
            {
                TensorPrimitives.MultiplyAdd(state.b.Row(k), left[k], result, result);
            }
        });
    }

    /// <summary>Computes c = aᵀ·b, or c += aᵀ·b: the gradient of a projection's weights.</summary>
    /// <param name="a">Shape [K, M].</param>
    /// <param name="b">Shape [K, N].</param>
    /// <param name="c">Receives the product; overlaps no factor. Shape [M, N].</param>
    /// <param name="accumulate">Whether the product is added to what <paramref name="c"/> holds.</param>
    /// <param name="pool">Shares the work.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static void TransposedTimes(Matrix a, Matrix b, Matrix c, bool accumulate, WorkerPool pool)
    {
        Check(a.Rows == b.Rows && c.Rows == a.Columns && c.Columns == b.Columns, a, b, c);
        pool.Run(a.Columns, (a, b, c, accumulate), static (state, row) =>
        {
            Span<float> result = state.c.Row(row);
            if (!state.accumulate)
            {
                result.Clear();
            }

            for (int k = 0; k < state.a.Rows; k++)
            {
                TensorPrimitives.MultiplyAdd(state.b.Row(k), state.a.Row(k)[row], result, result);
            }
        });
    }

    private static void Check(bool shapesFit, Matrix a, Matrix b, Matrix c)
    {
        if (!shapesFit)
        {
            throw new ArgumentException(
                $"The shapes [{a.Rows}, {a.Columns}] and [{b.Rows}, {b.Columns}] do not multiply into [{c.Rows}, {c.Columns}].");
        }
    }
}
