using CsCheck;

namespace Aries.Managed.Tests;

public sealed class MatrixProductTests
{
    private const float Untouched = 1234.5f;

    // Depths around the 256 at which a chain of sums is cut; rows and columns around the tiles of every width.
    public static TheoryData<int, int, int> Shapes => new()
    {
        { 1, 1, 1 }, { 1, 16, 8 }, { 6, 16, 256 }, { 7, 17, 257 }, { 12, 32, 64 }, { 13, 33, 9 }, { 5, 3, 600 }, { 25, 100, 31 }, { 200, 130, 20 }, { 3, 300, 513 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Run_EveryWidthAndLayout_IsTheScalarChainBitByBit(int rows, int columns, int depth)
    {
        Random random = new((rows * 7919) + columns + depth);
        foreach (int bits in (int[])[128, 256, 512])
        {
            for (int layout = 0; layout < 8; layout++)
            {
                AssertEqualsScalarChain(random, rows, columns, depth, (layout & 1) != 0, (layout & 2) != 0, (layout & 4) != 0, bits);
            }
        }
    }

    // What the shapes above do not reach, at every width: the few rows whose product is computed transposed, over several blocks of the common length;
    // narrow panels of even, odd and single heights; factors that lie too far apart to be read in place, or that are copied once for all; results written in their own order; several items.
    public static TheoryData<int, int, int> PathShapes => new()
    {
        { 16, 100, 530 }, { 33, 130, 300 }, { 48, 200, 64 }, { 230, 16, 40 }, { 47, 9, 300 }, { 25, 4, 257 }, { 1, 5, 40 }, { 30, 1100, 40 }, { 1100, 30, 40 },
        { 100, 40, 1100 }, { 60, 600, 16 }, { 400, 70, 260 }, { 520, 70, 260 }, { 525, 41, 70 }, { 265, 390, 75 },
    };

    [Theory]
    [MemberData(nameof(PathShapes))]
    public void Run_ShapesOfEveryPath_AreTheScalarChainBitByBit(int rows, int columns, int depth) =>
        Run_EveryWidthAndLayout_IsTheScalarChainBitByBit(rows, columns, depth);

    // The first factor is copied in parts, of its rows and of the common length. Products of few rows copy nothing.
    [Theory]
    [InlineData(2300, 400, 1000)]
    [InlineData(300, 390, 4400)]
    public void Products_TooLargeToBeCopiedAtOnce_AreThoseOfTheirPartsBitByBit(int rows, int columns, int depth)
    {
        const int Few = 100;
        Random random = new(8);
        (Matrix a, Matrix b, Matrix transposed) = (Random(random, rows, depth), Random(random, depth, columns), Matrix.Zeros(depth, rows));
        for (int row = 0; row < rows; row++)
        {
            for (int step = 0; step < depth; step++)
            {
                transposed.Row(step)[row] = a.Row(row)[step];
            }
        }

        Matrix start = Random(random, rows, columns);
        (Matrix sums, Matrix transposedSums, Matrix parts) = (new([.. start.Array], rows, columns), new([.. start.Array], rows, columns), new([.. start.Array], rows, columns));

        MatrixProduct.Times(a, b, sums, accumulate: true, WorkerPool.Shared);
        MatrixProduct.TransposedTimes(transposed, b, transposedSums, accumulate: true, WorkerPool.Shared);
        for (int row = 0; row < rows; row += Few)
        {
            int count = Math.Min(Few, rows - row);
            MatrixProduct.Times(a.RowRange(row, count), b, parts.RowRange(row, count), accumulate: true, WorkerPool.Shared);
        }

        AssertSameBits(parts.Array, sums.Array, 0);
        AssertSameBits(parts.Array, transposedSums.Array, 0);
    }

    // A product and its transpose are the same sums: computed either way round, and so on either path, they have the same bits.
    [Theory]
    [InlineData(16, 300, 576)]
    [InlineData(300, 16, 576)]
    [InlineData(70, 170, 100)]
    public void Run_FactorsSwapped_IsTheTransposeBitByBit(int rows, int columns, int depth)
    {
        Random random = new(6);
        (Matrix a, Matrix b) = (Random(random, rows, depth), Random(random, columns, depth));
        (Matrix product, Matrix transpose) = (Matrix.Zeros(rows, columns), Matrix.Zeros(columns, rows));

        MatrixProduct.TimesTransposed(a, b, product, accumulate: false, WorkerPool.Shared);
        MatrixProduct.TimesTransposed(b, a, transpose, accumulate: false, WorkerPool.Shared);

        for (int row = 0; row < rows; row++)
        {
            float[] column = [.. Enumerable.Range(0, columns).Select(index => transpose.Row(index)[row])];
            AssertSameBits(column, product.Row(row), row);
        }
    }

    [Fact]
    public void Run_AnyShapeOffsetAndStride_IsTheScalarChainBitByBit() =>
        (from rows in Gen.Int[1, 40]
         from columns in Gen.Int[1, 80]
         from depth in Gen.Int[0, 530]
         from layout in Gen.Int[0, 7]
         from bits in Gen.Int[0, 2].Select(static power => 128 << power)
         from seed in Gen.Int[0, 1000]
         select (rows, columns, depth, layout, bits, seed)).Sample(
            static x => AssertEqualsScalarChain(
                new Random(x.seed), x.rows, x.columns, x.depth, (x.layout & 1) != 0, (x.layout & 2) != 0, (x.layout & 4) != 0, x.bits),
            iter: 150,
            threads: 1);

    // A sequence's rows must not feel who else is in the batch: any sub-rectangle of a product is the product of the sub-factors.
    [Fact]
    public void TimesTransposed_PartOfABatch_IsThePartOfTheProductBitByBit() =>
        (from rows in Gen.Int[1, 420]
         from columns in Gen.Int[1, 300]
         from rowCount in Gen.Int[1, rows]
         from columnCount in Gen.Int[1, columns]
         from rowStart in Gen.Int[0, rows - rowCount]
         from columnStart in Gen.Int[0, columns - columnCount]
         select (rows, columns, rowStart, rowCount, columnStart, columnCount)).Sample(
            static x =>
            {
                Random random = new(3);
                (Matrix a, Matrix b) = (Random(random, x.rows, 300), Random(random, x.columns, 300));
                (Matrix whole, Matrix part) = (Matrix.Zeros(x.rows, x.columns), Matrix.Zeros(x.rowCount, x.columnCount));

                MatrixProduct.TimesTransposed(a, b, whole, accumulate: false, WorkerPool.Shared);
                MatrixProduct.TimesTransposed(
                    a.RowRange(x.rowStart, x.rowCount), b.RowRange(x.columnStart, x.columnCount), part, accumulate: false, WorkerPool.Shared);

                for (int row = 0; row < x.rowCount; row++)
                {
                    AssertSameBits(whole.RowRange(x.rowStart, x.rowCount).ColumnRange(x.columnStart, x.columnCount).Row(row), part.Row(row), row);
                }
            },
            iter: 60,
            threads: 1);

    [Theory]
    [InlineData(1, 700, 300)]
    [InlineData(64, 64, 64)]
    [InlineData(500, 300, 700)]
    [InlineData(500, 400, 700)]
    public void Products_AnyThreadCount_AreTheSameBitByBit(int rows, int columns, int depth)
    {
        Random random = new(4);
        (Matrix a, Matrix b) = (Random(random, rows, depth), Random(random, columns, depth));
        List<float[]> results = [];

        foreach (int threads in (int[])[1, 2, 3])
        {
            using WorkerPool pool = new(threads);
            (Matrix c, Matrix aGradient, Matrix bGradient) = (Matrix.Zeros(rows, columns), Matrix.Zeros(rows, depth), Matrix.Zeros(columns, depth));
            MatrixProduct.TimesTransposed(a, b, c, accumulate: false, pool);
            MatrixProduct.Times(c, b, aGradient, accumulate: true, pool);
            MatrixProduct.TransposedTimes(c, a, bGradient, accumulate: true, pool);
            results.Add([.. c.Array, .. aGradient.Array, .. bGradient.Array]);
        }

        AssertSameBits(results[0], results[1], 0);
        AssertSameBits(results[0], results[2], 0);
    }

    [Fact]
    public void TimesTransposed_TwoByTwo_IsTheProductByHand()
    {
        Matrix c = Matrix.Zeros(2, 2);

        MatrixProduct.TimesTransposed(new([1, 2, 3, 4], 2, 2), new([5, 6, 7, 8], 2, 2), c, accumulate: false, WorkerPool.Shared);

        Assert.Equal([17f, 23f, 39f, 53f], c.Array);
    }

    [Fact]
    public void Times_NothingToSum_ClearsOrKeeps()
    {
        float[] kept = [1, 2];
        float[] cleared = [1, 2];

        MatrixProduct.Times(new([], 1, 0), new([], 0, 2), new(kept, 1, 2), accumulate: true, WorkerPool.Shared);
        MatrixProduct.Times(new([], 1, 0), new([], 0, 2), new(cleared, 1, 2), accumulate: false, WorkerPool.Shared);

        Assert.Equal([1f, 2f], kept);
        Assert.Equal([0f, 0f], cleared);
    }

    [Theory]
    [InlineData(50)]
    [InlineData(300)]
    public void Products_AfterWarmUp_AllocateNothing(int rows)
    {
        using WorkerPool pool = new(1);
        (Matrix a, Matrix b, Matrix c, Matrix d) = (Matrix.Zeros(rows, 400), Matrix.Zeros(400, 400), Matrix.Zeros(rows, 400), Matrix.Zeros(400, 400));
        void Once()
        {
            MatrixProduct.TimesTransposed(a, b, c, accumulate: false, pool);
            MatrixProduct.Times(c, b, a, accumulate: false, pool);
            MatrixProduct.TransposedTimes(c, a, d, accumulate: false, pool);
        }

        Once();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int round = 0; round < 20; round++)
        {
            Once();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Products_ShapesThatDoNotFit_Throw()
    {
        (Matrix a, Matrix b, Matrix c) = (Matrix.Zeros(2, 3), Matrix.Zeros(4, 5), Matrix.Zeros(2, 4));

        Assert.Throws<ArgumentException>(() => MatrixProduct.TimesTransposed(a, b, c, accumulate: false, WorkerPool.Shared));
        Assert.Throws<ArgumentException>(() => MatrixProduct.Times(a, b, c, accumulate: false, WorkerPool.Shared));
        Assert.Throws<ArgumentException>(() => MatrixProduct.TransposedTimes(a, b, c, accumulate: false, WorkerPool.Shared));
    }

    [Theory]
    [InlineData(512, null, 512)]
    [InlineData(512, "256", 256)]
    [InlineData(256, "512", 256)]
    [InlineData(256, "128", 128)]
    public void VectorWidth_Limited_IsTheNarrower(int widest, string? limit, int expected) => Assert.Equal(expected, VectorWidth.Choose(widest, limit));

    [Fact]
    public void VectorWidth_UnknownLimit_ThrowsWithTheText() =>
        Assert.Contains("wide", Assert.Throws<ArgumentException>(static () => VectorWidth.Choose(256, "wide")).Message, StringComparison.Ordinal);

    private static void AssertEqualsScalarChain(
        Random random, int rows, int columns, int depth, bool transposeA, bool transposeB, bool accumulate, int bits)
    {
        Matrix a = transposeA ? Random(random, depth, rows) : Random(random, rows, depth);
        Matrix b = transposeB ? Random(random, columns, depth) : Random(random, depth, columns);
        Matrix c = Random(random, rows, columns);
        float[] expected = [.. c.Array];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                float sum = accumulate ? c.Row(row)[column] : 0;
                for (int start = 0; start < depth; start += 256)
                {
                    float chain = 0;
                    for (int k = start; k < Math.Min(start + 256, depth); k++)
                    {
                        chain = MathF.FusedMultiplyAdd(transposeA ? a.Row(k)[row] : a.Row(row)[k], transposeB ? b.Row(column)[k] : b.Row(k)[column], chain);
                    }

                    sum = start == 0 && !accumulate ? chain : sum + chain;
                }

                expected[c.Offset + (row * c.Stride) + column] = sum;
            }
        }

        MatrixProduct.Run(new Product(a, transposeA, b, transposeB, c, accumulate), WorkerPool.Shared, bits);

        // The whole array, so that what lies before, between and behind the rows is seen to be untouched.
        AssertSameBits(expected, c.Array, bits);
    }

    private static void AssertSameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, int where)
    {
        for (int index = 0; index < expected.Length; index++)
        {
            if (BitConverter.SingleToUInt32Bits(expected[index]) != BitConverter.SingleToUInt32Bits(actual[index]))
            {
                Assert.Fail($"At {index} ({where}): expected {expected[index]:R}, got {actual[index]:R}.");
            }
        }
    }

    private static Matrix Random(Random random, int rows, int columns)
    {
        Matrix matrix = new(new float[7 + (rows * (columns + 3))], 7, rows, columns, columns + 3);
        matrix.Array.AsSpan().Fill(Untouched);
        for (int row = 0; row < rows; row++)
        {
            foreach (ref float value in matrix.Row(row))
            {
                value = (random.NextSingle() * 2) - 1;
            }
        }

        return matrix;
    }
}
