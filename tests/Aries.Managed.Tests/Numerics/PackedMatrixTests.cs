namespace Aries.Managed.Tests;

public sealed class PackedMatrixTests
{
    [Theory]
    [InlineData(WeightStorage.Float32)]
    [InlineData(WeightStorage.BFloat16)]
    [InlineData(WeightStorage.Int8)]
    public void CopyRow_EveryWidth_GivesTheStoredWeights(WeightStorage storage)
    {
        Random random = new(1);
        float[] values = [.. Enumerable.Range(0, 70 * 150).Select(_ => (random.NextSingle() - 0.5f) * MathF.Pow(10, random.Next(-3, 3)))];
        foreach (int bits in (int[])[128, 256, 512])
        {
            PackedMatrix packed = PackedMatrix.Pack(new Matrix(values, 70, 150), storage, bits);
            for (int row = 0; row < 70; row++)
            {
                float[] actual = new float[150];
                packed.CopyRow(row, actual);

                Assert.Equal(StoredWeights.Of(values.AsSpan(row * 150, 150), storage), actual);
            }
        }
    }

    // |w − stored| is at most half a step of the scale: max |w| of its 64 ÷ 127 ÷ 2; a bfloat16 has 8 significant bits, so half of the last is at most 2⁻⁸ of the weight.
    [Fact]
    public void CopyRow_RoundedWeights_AreWithinHalfAStep()
    {
        Random random = new(2);
        float[] values = [.. Enumerable.Range(0, 256).Select(_ => random.NextSingle() - 0.5f)];
        (float[] eight, float[] sixteen) = (new float[256], new float[256]);

        PackedMatrix.Pack(new Matrix(values, 1, 256), WeightStorage.Int8, VectorWidth.Default).CopyRow(0, eight);
        PackedMatrix.Pack(new Matrix(values, 1, 256), WeightStorage.BFloat16, VectorWidth.Default).CopyRow(0, sixteen);

        for (int index = 0; index < values.Length; index++)
        {
            float largest = values.AsSpan(index / 64 * 64, 64).ToArray().Max(Math.Abs);
            Assert.InRange(Math.Abs(values[index] - eight[index]), 0, (largest / 254) + 1e-7f);
            Assert.InRange(Math.Abs(values[index] - sixteen[index]), 0, Math.Abs(values[index]) / 256);
        }
    }

    [Theory]
    [InlineData(WeightStorage.Float32, 4)]
    [InlineData(WeightStorage.BFloat16, 2)]
    [InlineData(WeightStorage.Int8, 1 + (4.0 / 64))]
    public void ByteCount_WholePanels_IsThatOfTheWeights(WeightStorage storage, double bytesPerWeight) =>
        Assert.Equal(bytesPerWeight * 64 * 128, PackedMatrix.Pack(Matrix.Zeros(64, 128), storage, 512).ByteCount);

    // A weight that is not finite must not become a number: the model's logits are to show it.
    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void CopyRow_WeightThatIsNotFinite_StaysSo(float weight)
    {
        foreach (WeightStorage storage in Enum.GetValues<WeightStorage>())
        {
            float[] actual = new float[3];
            PackedMatrix.Pack(new Matrix([1, weight, 2], 1, 3), storage, VectorWidth.Default).CopyRow(0, actual);

            Assert.False(float.IsFinite(actual[1]));
        }
    }

    [Fact]
    public void CopyRow_ZeroWeights_AreZero()
    {
        float[] actual = [1, 1];

        PackedMatrix.Pack(Matrix.Zeros(1, 2), WeightStorage.Int8, VectorWidth.Default).CopyRow(0, actual);

        Assert.Equal([0f, 0f], actual);
    }

    [Fact]
    public void Pack_RowsAreAskedForOnceAndInOrder()
    {
        List<int> firsts = [];
        int total = 0;

        PackedMatrix.Pack(100, 3, WeightStorage.Float32, 512, (first, rows) =>
        {
            firsts.Add(first);
            total += rows.Length / 3;
        });

        Assert.Equal([0, 32, 64, 96], firsts);
        Assert.Equal(100, total);
    }
}
