using CsCheck;

namespace Aries.Preferences.Tests;

public class RunningSoftmaxTests
{
    private const double LogSumTolerance = 2e-6;

    private static readonly float[] Scales = [0.1f, 3, 30];

    // Parts of any length, so that maxima come early, late and in between; the twin knows of no parts.
    [Fact]
    public void Add_AnyParts_EqualTheScalarTwinOfTheWhole() =>
        Gen.Select(Gen.Int, Gen.Int[1, 700], Gen.Int[1, 300], Gen.Int[0, 2].Select(i => Scales[i])).Sample((seed, length, partLength, scale) =>
        {
            float[] logits = Random(seed, length, scale);
            RunningSoftmax softmax = default;

            for (int start = 0; start < length; start += partLength)
            {
                softmax.Add(logits.AsSpan(start, Math.Min(partLength, length - start)));
            }

            (double sum, double entropy) = Twin(logits);
            Assert.Equal(logits.Max(), softmax.Maximum);
            Assert.Equal(sum, softmax.LogSumExp, LogSumTolerance);
            Assert.Equal(entropy, softmax.Entropy, 10 * LogSumTolerance);
        }, iter: 1000);

    // The worst for what is carried on: every part has a larger maximum than the one before, or all the weight is in the first.
    [Theory]
    [InlineData(0.01f)]
    [InlineData(-0.01f)]
    [InlineData(1f)]
    [InlineData(-1f)]
    public void Add_ManyRisingOrFallingParts_StayWithinTheStatedError(float slope)
    {
        float[] logits = [.. Enumerable.Range(0, 32_000).Select(v => slope * v)];
        RunningSoftmax softmax = default;

        for (int start = 0; start < logits.Length; start += 64)
        {
            softmax.Add(logits.AsSpan(start, 64));
        }

        // A ramp of 32,000 ends at ±32,000, where a float's own step is 0.002; the logits are what they are.
        (double sum, double entropy) = Twin(logits);
        Assert.Equal(sum, softmax.LogSumExp, LogSumTolerance);
        Assert.Equal(entropy, softmax.Entropy, 10 * LogSumTolerance);
    }

    [Fact]
    public void Exponentiate_AnyParts_LeavesTheSoftmaxAndTellsTheFactorOfEarlierOnes() =>
        Gen.Select(Gen.Int, Gen.Int[1, 200], Gen.Int[1, 90], Gen.Int[0, 2].Select(i => Scales[i])).Sample((seed, length, partLength, scale) =>
        {
            float[] logits = Random(seed, length, scale);
            float[] exponentials = [.. logits];
            double[] softmaxes = new double[length];
            RunningSoftmax softmax = default;
            RunningSoftmax sums = default;

            for (int start = 0; start < length; start += partLength)
            {
                int end = Math.Min(length, start + partLength);
                double factor = softmax.Exponentiate(exponentials.AsSpan(start, end - start));
                sums.Add(logits.AsSpan(start, end - start));
                for (int v = 0; v < end; v++)
                {
                    softmaxes[v] = v < start ? softmaxes[v] * factor : exponentials[v];
                }
            }

            Assert.Equal((sums.LogSumExp, sums.Entropy), (softmax.LogSumExp, softmax.Entropy));
            (double sum, _) = Twin(logits);
            for (int v = 0; v < length; v++)
            {
                // The kernel's stated error of a probability: x − m is rounded to a float.
                double expected = Math.Exp(logits[v] - sum);
                Assert.Equal(expected, softmaxes[v] * Math.Exp(softmax.Maximum - softmax.LogSumExp), (3e-7 * (1 - logits[v] + sum) * expected) + 1e-37);
            }
        }, iter: 1000);

    [Fact]
    public void Exponentiate_PartsOfProbabilityZero_BecomeZero()
    {
        float[] first = [.. Enumerable.Repeat(float.NegativeInfinity, 40)];
        float[] second = [1, float.NegativeInfinity, 1];
        float[] third = [.. Enumerable.Repeat(float.NegativeInfinity, 20)];
        RunningSoftmax softmax = default;

        double factor = softmax.Exponentiate(first);
        (double sum, float maximum) = (softmax.LogSumExp, softmax.Maximum);
        softmax.Exponentiate(second);
        softmax.Exponentiate(third);

        Assert.Equal((1, double.NegativeInfinity, float.NegativeInfinity), (factor, sum, maximum));
        Assert.All(first, value => Assert.Equal(0, value));
        Assert.Equal([1, 0, 1], second);
        Assert.All(third, value => Assert.Equal(0, value));
        Assert.Equal(1 + Math.Log(2), softmax.LogSumExp, 1e-12);
        Assert.Equal(Math.Log(2), softmax.Entropy, 1e-12);
    }

    // Recorded with 512-bit vectors; with DOTNET_EnableAVX512=0 and DOTNET_EnableAVX2=0 the processor computes in 256 and in 128.
    [Fact]
    public void Exponentiate_AnyVectorWidth_GivesTheSameBits()
    {
        float[] logits = [.. Enumerable.Range(0, 1003).Select(v => (v * 7919 % 4001 / 64f) - 40)];
        RunningSoftmax softmax = default;

        softmax.Exponentiate(logits);

        Assert.Equal(-405973389, logits.Aggregate(17, (hash, value) => unchecked((hash * 31) + BitConverter.SingleToInt32Bits(value))));
    }

    // NaN in every lane, in a tail too, behind and before values that a maximum prefers.
    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Add_NotANumberOrInfinite_IsNeverLost(float value)
    {
        for (int place = 0; place < 75; place++)
        {
            float[] logits = new float[75];
            logits[place] = value;
            RunningSoftmax softmax = default;

            softmax.Add(logits.AsSpan(0, 50));
            softmax.Add(logits.AsSpan(50));
            softmax.Add([3f]);

            Assert.Equal(double.NaN, softmax.LogSumExp);
        }
    }

    [Fact]
    public void Add_NothingOrNothingYet_HasNoProbability()
    {
        RunningSoftmax softmax = default;

        softmax.Add([]);

        Assert.Equal(double.NegativeInfinity, softmax.LogSumExp);
        softmax.Add([2f]);
        softmax.Add([]);
        Assert.Equal((2, 0), (softmax.LogSumExp, softmax.Entropy));
    }

    private static (double LogSum, double Entropy) Twin(float[] row)
    {
        double max = row.Max();
        double sum = row.Sum(x => Math.Exp(x - max));
        return (max + Math.Log(sum), Math.Log(sum) - (row.Sum(x => Math.Exp(x - max) * (x - max)) / sum));
    }

    private static float[] Random(int seed, int count, float scale)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => scale * (float)((random.NextDouble() * 6) - 3))];
    }
}
