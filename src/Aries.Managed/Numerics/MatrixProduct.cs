using System.Runtime.Intrinsics;

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
        Run(new Product(a, false, b, true, c, accumulate), pool, VectorWidth.Default);
    }

    /// <summary>Computes y = x·Wᵀ, or y += x·Wᵀ, for weights that may be packed, or for some of their outputs.</summary>
    /// <param name="x">Shape [M, K].</param>
    /// <param name="weight">W. Shape [N, K].</param>
    /// <param name="y">Receives the product; overlaps no factor. Shape [M, outputs].</param>
    /// <param name="accumulate">Whether the product is added to what <paramref name="y"/> holds.</param>
    /// <param name="pool">Shares the work.</param>
    /// <param name="firstOutput">The first output: a multiple of 32, the widest panel.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static void Project(Matrix x, Parameter weight, Matrix y, bool accumulate, WorkerPool pool, int firstOutput = 0)
    {
        if (weight.Packed is null)
        {
            TimesTransposed(x, Matrix.Of(weight).RowRange(firstOutput, y.Columns), y, accumulate, pool);
            return;
        }

        PackedProduct.Run(new PackedProducts(x, accumulate, new PackedFactor(weight.Packed, y, firstOutput)), pool);
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
        Run(new Product(a, false, b, false, c, accumulate), pool, VectorWidth.Default);
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
        Run(new Product(a, true, b, false, c, accumulate), pool, VectorWidth.Default);
    }

    /// <summary>Computes a product at a given vector width; every width gives the same bits.</summary>
    internal static void Run(in Product product, WorkerPool pool, int vectorBits)
    {
        switch (vectorBits)
        {
            case 512: BlockedProduct<Simd512, Vector512<float>>.Run(product, pool); break;
            case 256: BlockedProduct<Simd256, Vector256<float>>.Run(product, pool); break;
            default: BlockedProduct<Simd128, Vector128<float>>.Run(product, pool); break;
        }
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
