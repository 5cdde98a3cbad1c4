using CsCheck;

namespace Aries.Managed.Tests;

public sealed class PackedProductTests
{
    private const float Untouched = 1234.5f;

    // Rows around those that stream in one pass, in several, and those that take tiles, outputs around the panels of every width, inputs around a scale's 64 and a chain's 256.
    public static TheoryData<int, int, int> Shapes => new()
    {
        { 1, 1, 1 }, { 1, 64, 64 }, { 1, 65, 63 }, { 2, 96, 256 }, { 3, 33, 257 }, { 4, 130, 65 }, { 5, 64, 64 }, { 7, 17, 300 }, { 12, 32, 600 }, { 13, 40, 129 },
        { 25, 70, 300 }, { 33, 100, 520 }, { 36, 64, 257 }, { 37, 100, 90 }, { 200, 70, 70 }, { 400, 130, 530 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Run_EveryWidthAndStorage_IsTheScalarChainOfTheStoredWeightsBitByBit(int rows, int outputs, int inputs)
    {
        Random random = new((rows * 7919) + outputs + inputs);
        foreach (int bits in (int[])[128, 256, 512])
        {
            foreach (WeightStorage storage in Enum.GetValues<WeightStorage>())
            {
                AssertEqualsScalarChain(random, rows, outputs, inputs, storage, bits, accumulate: false);
                AssertEqualsScalarChain(random, rows, outputs, inputs, storage, bits, accumulate: true);
            }
        }
    }

    [Fact]
    public void Run_AnyShape_IsTheScalarChainOfTheStoredWeightsBitByBit() =>
        (from rows in Gen.Int[1, 30]
         from outputs in Gen.Int[1, 150]
         from inputs in Gen.Int[1, 530]
         from storage in Gen.Int[0, 2].Select(static index => (WeightStorage)index)
         from bits in Gen.Int[0, 2].Select(static power => 128 << power)
         from accumulate in Gen.Bool
         from seed in Gen.Int[0, 1000]
         select (rows, outputs, inputs, storage, bits, accumulate, seed)).Sample(
            static x => AssertEqualsScalarChain(new Random(x.seed), x.rows, x.outputs, x.inputs, x.storage, x.bits, x.accumulate),
            iter: 150,
            threads: 1);

    // 576 and 1536 wide, the shapes that the items of several threads are cut from.
    [Theory]
    [InlineData(1, WeightStorage.Float32)]
    [InlineData(3, WeightStorage.Int8)]
    [InlineData(32, WeightStorage.BFloat16)]
    [InlineData(250, WeightStorage.Int8)]
    public void Run_SeveralFactorsAndThreads_IsEachProductAloneBitByBit(int rows, WeightStorage storage)
    {
        Random random = new(5);
        Matrix a = Random(random, rows, 576);
        int[] outputs = [576, 200, 1000];
        PackedMatrix[] weights = [.. outputs.Select(count => PackedMatrix.Pack(Random(random, count, 576), storage, VectorWidth.Default))];
        using WorkerPool one = new(1);
        float[][] expected = [.. weights.Select(factor =>
        {
            Matrix c = Matrix.Zeros(rows, factor.Rows);
            PackedProduct.Run(new PackedProducts(a, false, new PackedFactor(factor, c)), one);
            return c.Array;
        })];

        foreach (int threads in (int[])[1, 2, 3])
        {
            using WorkerPool pool = new(threads);
            PackedFactor[] factors = [.. weights.Select(factor => new PackedFactor(factor, Matrix.Zeros(rows, factor.Rows)))];
            PackedProduct.Run(new PackedProducts(a, false, factors[0], factors[1], factors[2]), pool);
            for (int i = 0; i < factors.Length; i++)
            {
                AssertSameBits(expected[i], factors[i].Result.Array);
            }
        }
    }

    [Fact]
    public void Run_SomeOfTheOutputs_IsThatPartOfTheProduct()
    {
        Random random = new(6);
        Matrix a = Random(random, 6, 90);
        PackedMatrix weights = PackedMatrix.Pack(Random(random, 150, 90), WeightStorage.Int8, 256);
        Matrix whole = Matrix.Zeros(6, 150);
        PackedProduct.Run(new PackedProducts(a, false, new PackedFactor(weights, whole)), WorkerPool.Shared);
        (Matrix middle, Matrix last) = (Matrix.Zeros(6, 64), Matrix.Zeros(6, 150 - 96));

        PackedProduct.Run(new PackedProducts(a, false, new PackedFactor(weights, middle, 32), new PackedFactor(weights, last, 96)), WorkerPool.Shared);

        for (int row = 0; row < 6; row++)
        {
            AssertSameBits(whole.Row(row).Slice(32, 64), middle.Row(row));
            AssertSameBits(whole.Row(row)[96..], last.Row(row));
        }
    }

    [Fact]
    public void Project_PackedFloat32_IsTheUnpackedProductBitByBit()
    {
        Random random = new(7);
        Parameter plain = new("w", 100, 300, Dense(Random(random, 100, 300)));
        Parameter packed = plain.Pack(WeightStorage.Float32);
        foreach (int rows in (int[])[1, 5, 40])
        {
            Matrix a = Random(random, rows, 300);
            (Matrix expected, Matrix actual) = (Matrix.Zeros(rows, 100), Matrix.Zeros(rows, 100));

            MatrixProduct.Project(a, plain, expected, accumulate: false, WorkerPool.Shared);
            MatrixProduct.Project(a, packed, actual, accumulate: false, WorkerPool.Shared);

            AssertSameBits(expected.Array, actual.Array);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    public void Run_AfterWarmUp_AllocatesNothing(int rows)
    {
        using WorkerPool pool = new(1);
        Matrix a = Matrix.Zeros(rows, 300);
        PackedFactor factor = new(PackedMatrix.Pack(Matrix.Zeros(70, 300), WeightStorage.Int8, VectorWidth.Default), Matrix.Zeros(rows, 70));
        PackedProduct.Run(new PackedProducts(a, false, factor, factor), pool);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int round = 0; round < 100; round++)
        {
            PackedProduct.Run(new PackedProducts(a, false, factor, factor), pool);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Run_ShapesThatDoNotFit_Throw()
    {
        PackedMatrix weights = PackedMatrix.Pack(Matrix.Zeros(70, 30), WeightStorage.Float32, 128);
        PackedMatrix other = PackedMatrix.Pack(Matrix.Zeros(70, 30), WeightStorage.BFloat16, 128);
        Matrix a = Matrix.Zeros(2, 30);
        PackedProducts[] wrong =
        [
            new(Matrix.Zeros(2, 29), false, new PackedFactor(weights, Matrix.Zeros(2, 70))),
            new(a, false, new PackedFactor(weights, Matrix.Zeros(3, 70))),
            new(a, false, new PackedFactor(weights, Matrix.Zeros(2, 69))),
            new(a, false, new PackedFactor(weights, Matrix.Zeros(2, 66), 4)),
            new(a, false, new PackedFactor(weights, Matrix.Zeros(2, 8), 72)),
            new(a, false, new PackedFactor(weights, Matrix.Zeros(2, 70)), new PackedFactor(other, Matrix.Zeros(2, 70))),
        ];

        Assert.All(wrong, static products => Assert.Throws<ArgumentException>(() => PackedProduct.Run(products, WorkerPool.Shared)));
    }

    private static void AssertEqualsScalarChain(Random random, int rows, int outputs, int inputs, WeightStorage storage, int bits, bool accumulate)
    {
        Matrix a = Random(random, rows, inputs);
        Matrix b = Random(random, outputs, inputs);
        Matrix c = Random(random, rows, outputs);
        float[] expected = [.. c.Array];
        for (int output = 0; output < outputs; output++)
        {
            float[] stored = StoredWeights.Of(b.Row(output), storage);
            for (int row = 0; row < rows; row++)
            {
                float sum = accumulate ? c.Row(row)[output] : 0;
                for (int start = 0; start < inputs; start += 256)
                {
                    float chain = 0;
                    for (int k = start; k < Math.Min(start + 256, inputs); k++)
                    {
                        chain = MathF.FusedMultiplyAdd(a.Row(row)[k], stored[k], chain);
                    }

                    sum = start == 0 && !accumulate ? chain : sum + chain;
                }

                expected[c.Offset + (row * c.Stride) + output] = sum;
            }
        }

        PackedProduct.Run(new PackedProducts(a, accumulate, new PackedFactor(PackedMatrix.Pack(b, storage, bits), c)), WorkerPool.Shared);

        // The whole array, so that what lies before, between and behind the rows is seen to be untouched.
        AssertSameBits(expected, c.Array);
    }

    private static void AssertSameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int index = 0; index < expected.Length; index++)
        {
            if (BitConverter.SingleToUInt32Bits(expected[index]) != BitConverter.SingleToUInt32Bits(actual[index]))
            {
                Assert.Fail($"At {index}: expected {expected[index]:R}, got {actual[index]:R}.");
            }
        }
    }

    private static float[] Dense(Matrix matrix) => [.. Enumerable.Range(0, matrix.Rows).SelectMany(row => matrix.Row(row).ToArray())];

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
