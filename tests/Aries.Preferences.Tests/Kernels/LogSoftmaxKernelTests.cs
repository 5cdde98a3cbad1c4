using CsCheck;

namespace Aries.Preferences.Tests;

public class LogSoftmaxKernelTests
{
    private const double LogSumTolerance = 2e-6;

    private static readonly int[] Vocabularies = [1, 2, 15, 16, 17, 31, 255, 256, 257, 272, 511, 1000];

    private static readonly float[] Scales = [0.1f, 3, 30];

    [Fact]
    public void LogProbabilities_RandomLogits_EqualTheScalarTwin() =>
        Gen.Select(Gen.Int, Gen.Int[0, Vocabularies.Length - 1].Select(i => Vocabularies[i]), Gen.Int[1, 6], Gen.Int[0, 2].Select(i => Scales[i])).Sample((seed, vocabulary, rows, scale) =>
        {
            float[] logits = Random(seed, rows * vocabulary, scale);
            int[] targets = Targets(seed, rows, vocabulary);
            double[] logProbabilities = new double[rows];
            double[] sums = new double[rows];
            double[] entropies = new double[rows];
            double[] bareSums = new double[rows];

            LogSoftmaxKernel.LogProbabilities(logits, vocabulary, targets, logProbabilities, sums, entropies);
            LogSoftmaxKernel.LogSumExps(logits, vocabulary, bareSums);

            Assert.Equal(bareSums, sums);
            for (int r = 0; r < rows; r++)
            {
                (double sum, double entropy) = Twin(logits.AsSpan(r * vocabulary, vocabulary));
                Assert.Equal(sum, sums[r], LogSumTolerance);
                Assert.Equal(entropy, entropies[r], 10 * LogSumTolerance);
                Assert.Equal(logits[(r * vocabulary) + targets[r]] - sum, logProbabilities[r], LogSumTolerance);
            }
        }, iter: 1000);

    // The worst for float sums: a real vocabulary's size, equal terms, terms far below the maximum that still add up, and steep ramps.
    [Fact]
    public void LogSumExps_LargeAndUnevenVocabularies_StayWithinTheStatedError()
    {
        foreach (int vocabulary in new[] { 32_000, 151_936 })
        {
            foreach (Func<int, float> shape in new Func<int, float>[]
            {
                _ => 0.1f, v => v == 7 ? 0 : -11.93f, v => v == 7 ? 0 : -7.3f, v => -v / 1000f, v => -v % 20, v => MathF.Sin(v) * 40, v => 100 + (v * 1e-4f), v => v == 3 ? 88f : -88f,
            })
            {
                float[] logits = [.. Enumerable.Range(0, vocabulary).Select(shape)];
                double[] sum = new double[1];
                double[] entropy = new double[1];

                LogSoftmaxKernel.LogSumExps(logits, vocabulary, sum, entropy);

                (double expectedSum, double expectedEntropy) = Twin(logits);
                Assert.Equal(expectedSum, sum[0], LogSumTolerance);
                Assert.Equal(expectedEntropy, entropy[0], 10 * LogSumTolerance);
            }
        }
    }

    [Fact]
    public void Gradient_RandomEntries_EqualsTheScalarTwin() =>
        Gen.Select(Gen.Int, Gen.Int[0, Vocabularies.Length - 1].Select(i => Vocabularies[i]), Gen.Int[1, 6], Gen.Int[0, 12]).Sample((seed, vocabulary, rowCount, entries) =>
        {
            Random random = new(seed);
            float[] logits = Random(seed, rowCount * vocabulary, 4);
            int[] rows = [.. Enumerable.Range(0, entries).Select(_ => random.Next(rowCount)).Order()];
            int[] targets = Targets(seed, entries, vocabulary);
            double[] coefficients = [.. Enumerable.Range(0, entries).Select(_ => random.NextDouble() - 0.5)];
            double[] expected = new double[logits.Length];
            for (int j = 0; j < entries; j++)
            {
                Span<float> row = logits.AsSpan(rows[j] * vocabulary, vocabulary);
                (double sum, _) = Twin(row);
                for (int v = 0; v < vocabulary; v++)
                {
                    expected[(rows[j] * vocabulary) + v] += coefficients[j] * ((v == targets[j] ? 1 : 0) - Math.Exp(row[v] - sum));
                }
            }

            double[] sums = new double[rowCount];
            LogSoftmaxKernel.LogSumExps(logits, vocabulary, sums);
            LogSoftmaxKernel.Gradient(logits, vocabulary, sums, rows, targets, coefficients);

            for (int i = 0; i < logits.Length; i++)
            {
                Assert.Equal(expected[i], logits[i], 3e-6);
            }
        }, iter: 500);

    // ∂/∂x Σ c_j log p(t_j | row r_j) by central differences of the forward pass in float64.
    [Fact]
    public void Gradient_SeveralTargetsARow_IsTheFiniteDifference()
    {
        const int Vocabulary = 21;
        float[] logits = Random(5, 2 * Vocabulary, 2);
        int[] rows = [0, 0, 1];
        int[] targets = [3, 20, 0];
        double[] coefficients = [0.5, -1.25, 2];
        double[] sums = new double[2];
        LogSoftmaxKernel.LogSumExps(logits, Vocabulary, sums);
        float[] gradient = logits.ToArray();
        LogSoftmaxKernel.Gradient(gradient, Vocabulary, sums, rows, targets, coefficients);

        for (int i = 0; i < logits.Length; i++)
        {
            double difference = (Objective(logits, i, 1e-5) - Objective(logits, i, -1e-5)) / 2e-5;
            Assert.Equal(difference, gradient[i], 1e-6);
        }

        double Objective(float[] x, int moved, double by)
        {
            double total = 0;
            for (int j = 0; j < rows.Length; j++)
            {
                double sum = 0;
                for (int v = 0; v < Vocabulary; v++)
                {
                    sum += Math.Exp(At((rows[j] * Vocabulary) + v));
                }

                total += coefficients[j] * (At((rows[j] * Vocabulary) + targets[j]) - Math.Log(sum));
            }

            return total;

            double At(int index) => x[index] + (index == moved ? by : 0);
        }
    }

    // The stated error of a probability: 3e-7 · (1 − log p) relative, down to 1e-37.
    [Fact]
    public void Gradient_Probabilities_StayWithinTheStatedRelativeError()
    {
        float[] logits = [.. Enumerable.Range(0, 4000).Select(v => 17.3f - (v * 0.02111f))];
        (double sum, _) = Twin(logits);
        float[] gradient = logits.ToArray();
        double[] sums = new double[1];
        LogSoftmaxKernel.LogSumExps(logits, logits.Length, sums);

        LogSoftmaxKernel.Gradient(gradient, logits.Length, sums, [0], [0], [-1]);

        for (int v = 1; v < logits.Length; v++)
        {
            double logProbability = logits[v] - sum;
            double probability = Math.Exp(logProbability);
            Assert.Equal(probability, gradient[v], (3e-7 * (1 - logProbability) * probability) + 1e-37);
        }
    }

    [Fact]
    public void Gradient_RowsWithoutEntries_BecomeZero()
    {
        float[] logits = Random(1, 3 * 20, 1);
        double[] sums = new double[3];
        LogSoftmaxKernel.LogSumExps(logits, 20, sums);

        LogSoftmaxKernel.Gradient(logits, 20, sums, [1], [4], [1]);

        Assert.All(logits[..20], g => Assert.Equal(0, g));
        Assert.All(logits[40..], g => Assert.Equal(0, g));
        Assert.True(logits[24] > 0);
    }

    [Fact]
    public void Members_RowInAnyChunk_GivesTheSameBits()
    {
        const int Vocabulary = 333;
        float[] logits = Random(2, 5 * Vocabulary, 5);
        int[] targets = Targets(2, 5, Vocabulary);
        double[] together = new double[5];
        double[] sums = new double[5];
        double[] entropies = new double[5];
        LogSoftmaxKernel.LogProbabilities(logits, Vocabulary, targets, together, sums, entropies);

        for (int r = 0; r < 5; r++)
        {
            double[] alone = new double[1];
            double[] sum = new double[1];
            double[] entropy = new double[1];
            LogSoftmaxKernel.LogProbabilities(logits.AsSpan(r * Vocabulary, Vocabulary), Vocabulary, targets.AsSpan(r, 1), alone, sum, entropy);
            Assert.Equal((together[r], sums[r], entropies[r]), (alone[0], sum[0], entropy[0]));
        }
    }

    [Fact]
    public void Gather_SeveralTargetsInAnyOrder_EqualsOneTargetARow()
    {
        const int Vocabulary = 40;
        float[] logits = Random(3, 3 * Vocabulary, 5);
        double[] sums = new double[3];
        LogSoftmaxKernel.LogSumExps(logits, Vocabulary, sums);
        double[] gathered = new double[4];

        LogSoftmaxKernel.Gather(logits, Vocabulary, sums, [2, 0, 2, 1], [5, 6, 7, 8], gathered);

        Assert.Equal([logits[85] - sums[2], logits[6] - sums[0], logits[87] - sums[2], logits[48] - sums[1]], gathered);
    }

    [Fact]
    public void LogProbabilities_TokensOfProbabilityZero_AreLeftOut()
    {
        float[] logits = [.. Enumerable.Repeat(float.NegativeInfinity, 30)];
        logits[4] = 2;
        logits[17] = 2;
        double[] logProbability = new double[1];
        double[] sum = new double[1];
        double[] entropy = new double[1];

        LogSoftmaxKernel.LogProbabilities(logits, 30, [4], logProbability, sum, entropy);

        Assert.Equal(-Math.Log(2), logProbability[0], 1e-7);
        Assert.Equal(Math.Log(2), entropy[0], 1e-7);
        LogSoftmaxKernel.LogProbabilities(logits, 30, [5], logProbability, sum, entropy);
        Assert.Equal(double.NegativeInfinity, logProbability[0]);
        LogSoftmaxKernel.Gradient(logits, 30, sum, [0], [4], [1]);
        Assert.Equal([0, 0.5f, 0, -0.5f], [logits[0], MathF.Round(logits[4], 6), logits[29], MathF.Round(logits[17], 6)]);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void LogSumExps_NotANumberOrInfinite_NamesTheRow(float value)
    {
        float[] logits = new float[3 * 50];
        logits[50 + 33] = value;

        ArgumentException exception = Assert.Throws<ArgumentException>("logits", () => LogSoftmaxKernel.LogSumExps(logits, 50, new double[3]));

        Assert.Contains("row 1", exception.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>("logits", () => LogSoftmaxKernel.LogSumExps([float.NegativeInfinity], 1, new double[1]));
    }

    [Fact]
    public void Members_BadArguments_Throws()
    {
        float[] logits = new float[20];
        double[] two = new double[2];
        double[] shared = new double[3];

        Assert.Throws<ArgumentOutOfRangeException>("vocabulary", () => LogSoftmaxKernel.LogSumExps(logits, 0, two));
        Assert.Throws<ArgumentException>("logSumExps", () => LogSoftmaxKernel.LogSumExps(logits, 9, two));
        Assert.Throws<ArgumentException>("entropies", () => LogSoftmaxKernel.LogSumExps(logits, 10, two, new double[1]));
        Assert.Throws<ArgumentException>("entropies", () => LogSoftmaxKernel.LogSumExps(logits, 10, shared.AsSpan(0, 2), shared.AsSpan(1, 2)));
        Assert.Throws<ArgumentException>("targets", () => LogSoftmaxKernel.LogProbabilities(logits, 10, [1], two, two));
        Assert.Throws<ArgumentOutOfRangeException>("targets", () => LogSoftmaxKernel.LogProbabilities(logits, 10, [1, 10], new double[2], two));
        Assert.Throws<ArgumentOutOfRangeException>("targets", () => LogSoftmaxKernel.LogProbabilities(logits, 10, [1, -1], new double[2], two));
        Assert.Throws<ArgumentException>("logProbabilities", () => LogSoftmaxKernel.LogProbabilities(logits, 10, [1, 1], new double[1], two));
        Assert.Throws<ArgumentException>("logProbabilities", () => LogSoftmaxKernel.LogProbabilities(logits, 10, [1, 1], two, two));
        Assert.Throws<ArgumentOutOfRangeException>("rows", () => LogSoftmaxKernel.Gather(logits, 10, two, [2], [0], new double[1]));
        Assert.Throws<ArgumentException>("rows", () => LogSoftmaxKernel.Gather(logits, 10, two, [1], [0, 1], new double[1]));
        Assert.Throws<ArgumentOutOfRangeException>("rows", () => LogSoftmaxKernel.Gradient(logits, 10, two, [2], [0], [1]));
        Assert.Throws<ArgumentException>("rows", () => LogSoftmaxKernel.Gradient(logits, 10, two, [1, 0], [0, 0], [1, 1]));
        Assert.Throws<ArgumentException>("rows", () => LogSoftmaxKernel.Gradient(logits, 10, two, [1, 1], [0, 0], [1]));
        Assert.Throws<ArgumentException>("coefficients", () => LogSoftmaxKernel.Gradient(logits, 10, two, [1], [0], [double.NaN]));
        Assert.Throws<ArgumentException>("logSumExps", () => LogSoftmaxKernel.Gradient(logits, 10, [0, double.NaN], [1], [0], [1]));
        Assert.All(logits, x => Assert.Equal(0, x));
    }

    [Fact]
    public void Members_NoRows_DoNothing()
    {
        LogSoftmaxKernel.LogProbabilities(default, 10, default, default, default);
        LogSoftmaxKernel.Gradient(default, 10, default, default, default, default);
    }

    [Fact]
    public void Members_Warm_AllocateNothing()
    {
        float[] logits = Random(1, 4 * 301, 1);
        int[] targets = [1, 2, 3, 4];
        int[] rows = [0, 1, 2, 3];
        double[] values = new double[4];
        double[] sums = new double[4];
        double[] entropies = new double[4];
        Run();
        long before = GC.GetAllocatedBytesForCurrentThread();

        Run();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Run()
        {
            LogSoftmaxKernel.LogProbabilities(logits, 301, targets, values, sums, entropies);
            LogSoftmaxKernel.Gradient(logits, 301, sums, rows, targets, values);
        }
    }

    private static (double LogSum, double Entropy) Twin(ReadOnlySpan<float> row)
    {
        double max = double.NegativeInfinity;
        foreach (float x in row)
        {
            max = Math.Max(max, x);
        }

        double sum = 0;
        double moment = 0;
        foreach (float x in row)
        {
            double e = Math.Exp(x - max);
            sum += e;
            moment += e * (x - max);
        }

        return (max + Math.Log(sum), Math.Log(sum) - (moment / sum));
    }

    private static float[] Random(int seed, int count, float scale)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => scale * (float)((random.NextDouble() * 6) - 3))];
    }

    private static int[] Targets(int seed, int count, int vocabulary)
    {
        Random random = new(~seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];
    }
}
