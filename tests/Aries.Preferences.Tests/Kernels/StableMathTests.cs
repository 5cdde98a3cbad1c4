using CsCheck;

namespace Aries.Preferences.Tests;

public class StableMathTests
{
    // High-precision values (50 digits, rounded to double) of softplus at points where naive forms overflow, cancel or lose the tail.
    public static TheoryData<double, double> SoftplusValues => new()
    {
        { 0, 0.69314718055994530942 },
        { 1, 1.3132616875182228340 },
        { -1, 0.31326168751822283405 },
        { 40, 40.000000000000000004 },
        { -40, 4.2483542552915889864e-18 },
        { -700, 9.8596765437597708567e-305 },
        { 1e4, 1e4 },
        { -1e4, 0 },
        { 1e-10, 0.69314718060994530942 },
        { -36.7368005696771, 1.1102230246251572e-16 },
    };

    [Theory]
    [MemberData(nameof(SoftplusValues))]
    public void Softplus_KnownPoints_IsExactToTheLastPlaces(double x, double expected)
    {
        AssertUlps(expected, StableMath.Softplus(x), 4);
        AssertUlps(-expected, StableMath.LogSigmoid(-x), 4);
    }

    [Fact]
    public void Sigmoid_FarTail_IsTheExponential()
    {
        AssertUlps(Math.Exp(-40), StableMath.Sigmoid(-40), 4);
        AssertUlps(Math.Exp(-700), StableMath.Sigmoid(-700), 4);
        Assert.Equal(0.5, StableMath.Sigmoid(0));
        Assert.Equal(1, StableMath.Sigmoid(1e4));
        Assert.Equal(0, StableMath.Sigmoid(-1e4));
    }

    [Fact]
    public void Softplus_NotFinite_GivesTheLimit()
    {
        Assert.True(double.IsNaN(StableMath.Softplus(double.NaN)));
        Assert.True(double.IsNaN(StableMath.Sigmoid(double.NaN)));
        Assert.Equal(double.PositiveInfinity, StableMath.Softplus(double.PositiveInfinity));
        Assert.Equal(0, StableMath.Softplus(double.NegativeInfinity));
        Assert.Equal(double.NegativeInfinity, StableMath.LogSigmoid(double.NegativeInfinity));
        Assert.Equal(1, StableMath.Sigmoid(double.PositiveInfinity));
        Assert.Equal(0, StableMath.Sigmoid(double.NegativeInfinity));
    }

    [Fact]
    public void SpanOverloads_AnyLengthAndPlace_EqualTheScalarBitForBit() => Gen.Double[-800, 800].Array[0, 40].Sample(x =>
    {
        double[] softplus = new double[x.Length];
        double[] logSigmoid = new double[x.Length];
        double[] sigmoid = x.ToArray();
        StableMath.Softplus(x, softplus);
        StableMath.LogSigmoid(x, logSigmoid);
        StableMath.Sigmoid(sigmoid, sigmoid);
        for (int i = 0; i < x.Length; i++)
        {
            Assert.Equal(StableMath.Softplus(x[i]), softplus[i]);
            Assert.Equal(StableMath.LogSigmoid(x[i]), logSigmoid[i]);
            Assert.Equal(StableMath.Sigmoid(x[i]), sigmoid[i]);
        }
    }, iter: 2000);

    // Against the scalar form in the library's own functions; log1p(u) = u − u²/2 to double below 1e-8.
    [Fact]
    public void Softplus_RandomArguments_EqualsItsScalarTwin() => Gen.Double[-745, 745].Sample(x =>
    {
        double u = Math.Exp(-Math.Abs(x));
        double expected = Math.Max(x, 0) + (u < 1e-8 ? u - (u * u / 2) : Math.Log(1 + u));
        Assert.Equal(expected, StableMath.Softplus(x), Math.Max(1e-300, expected * (u < 1e-8 ? 1e-15 : 1e-7)));
        Assert.Equal(expected, StableMath.Softplus(x), 1e-15 * Math.Max(1, expected));
    }, iter: 20000);

    [Fact]
    public void SpanOverloads_LengthsOrOverlap_Throws()
    {
        double[] memory = new double[10];

        Assert.Throws<ArgumentException>("destination", () => StableMath.Softplus(new double[3], new double[4]));
        Assert.Throws<ArgumentException>("destination", () => StableMath.LogSigmoid(memory.AsSpan(0, 5), memory.AsSpan(1, 5)));
        Assert.Throws<ArgumentException>("destination", () => StableMath.Sigmoid(new double[3], default));
    }

    [Fact]
    public void LogSumExp_Row_IsTheLogarithmOfTheSum()
    {
        Assert.Equal(Math.Log(Math.Exp(1) + Math.Exp(2) + Math.Exp(3)), StableMath.LogSumExp([1, 2, 3]), 2e-7);
        Assert.Equal(1000 + Math.Log(2), StableMath.LogSumExp([1000, 1000]), 2e-7);
        Assert.Equal(-1000, StableMath.LogSumExp([-1000]));
        Assert.Equal(5, StableMath.LogSumExp([float.NegativeInfinity, 5]));
        Assert.Throws<ArgumentException>("logits", () => StableMath.LogSumExp([]));
        Assert.Throws<ArgumentException>(() => StableMath.LogSumExp([1, float.NaN]));
    }

    private static void AssertUlps(double expected, double actual, int ulps)
    {
        long distance = Math.Abs(BitConverter.DoubleToInt64Bits(expected) - BitConverter.DoubleToInt64Bits(actual));
        Assert.True(distance <= ulps || (expected == 0 && actual == 0), $"expected {expected:R}, got {actual:R}: {distance} units in the last place apart");
    }
}
