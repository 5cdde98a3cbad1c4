using System.Runtime.Intrinsics;

namespace Aries.Managed.Tests;

public sealed class RowKernelsTests
{
    public static TheoryData<int> Lengths => [1, 5, 7, 8, 9, 16, 31, 32, 33, 64, 577, 1536];

    private static float[] Values(int seed, int count, float scale = 2)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => ((random.NextSingle() * 2) - 1) * scale)];
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Dot_AnyLength_IsTheScalarSum(int length)
    {
        float[] x = Values(1, length);
        float[] y = Values(2, length);

        float dot = RowKernels.Dot(x, y);

        Assert.Equal(x.Zip(y).Sum(static pair => (double)pair.First * pair.Second), dot, 1e-3);
    }

    [Fact]
    public void Exp_AcrossItsRange_IsWithinTwoUnitsInTheLastPlace()
    {
        for (float x = -87.2f; x < 88.2f; x += 0.00371f)
        {
            float expected = MathF.Exp(x);
            float actual = Lanes.Exp(Vector256.Create(x)).ToScalar();

            Assert.True(Math.Abs(actual - Math.Exp(x)) <= 2 * (MathF.BitIncrement(expected) - expected), $"exp({x}) = {actual}");
        }
    }

    [Theory]
    [InlineData(float.NegativeInfinity, 0f)]
    [InlineData(-88f, 0f)]
    [InlineData(0f, 1f)]
    [InlineData(float.NaN, float.NaN)]
    public void Exp_AtTheEdges_IsExact(float x, float expected) => Assert.Equal(expected, Lanes.Exp(Vector256.Create(x)).ToScalar());

    [Theory]
    [InlineData(-200f)]
    [InlineData(-3.5f)]
    [InlineData(0f)]
    [InlineData(0.25f)]
    [InlineData(200f)]
    public void Sigmoid_AnyValue_IsTheScalarOne(float x) => Assert.Equal(1 / (1 + Math.Exp(-(double)x)), Lanes.Sigmoid(Vector256.Create(x)).ToScalar(), 1e-7);

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Add_AnyLength_ChangesNothingBeyondTheRow(int length)
    {
        float[] x = Values(6, length);
        float[] y = Values(7, length + 1);
        float[] before = [.. y];

        RowKernels.Add(x, y.AsSpan(0, length));
        RowKernels.Scale(y.AsSpan(0, length), -1.5f);

        Assert.Equal(before[length], y[length]);
        for (int index = 0; index < length; index++)
        {
            Assert.Equal(-1.5 * (before[index] + x[index]), y[index], 1e-6);
        }
    }

    [Fact]
    public void SumOfSquares_ManyValues_IsTheDoubleSum()
    {
        float[] x = Values(8, 100_003);

        Assert.Equal(x.Sum(static value => (double)value * value), RowKernels.SumOfSquares(x), 0.02);
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Max_AnyLength_FindsIt(int length)
    {
        for (int place = 0; place < length; place += 1 + (length / 9))
        {
            float[] x = Values(9, length);
            x[place] = 3;

            Assert.Equal(3, RowKernels.Max(x));
        }
    }

    [Fact]
    public void Dot_UnequalLengths_Throws() => Assert.Throws<ArgumentException>(static () => RowKernels.Dot(new float[3], new float[4]));

    internal static void AssertGradient(double[] point, ReadOnlySpan<float> gradient, Func<double[], double> loss, double tolerance = 2e-4)
    {
        for (int index = 0; index < point.Length; index++)
        {
            double kept = point[index];
            point[index] = kept + 1e-5;
            double above = loss(point);
            point[index] = kept - 1e-5;
            double below = loss(point);
            point[index] = kept;
            Assert.Equal((above - below) / 2e-5, gradient[index], tolerance);
        }
    }
}
