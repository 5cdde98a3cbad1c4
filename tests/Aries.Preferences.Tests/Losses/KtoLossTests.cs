namespace Aries.Preferences.Tests;

public class KtoLossTests
{
    private static readonly KtoLossOptions Weighted = new() { Beta = 0.2, DesirableWeight = 1.5, UndesirableWeight = 0.5 };

    // loss = λ_D (1 − σ(β (r − z0))) and λ_U (1 − σ(β (z0 − r))).
    [Fact]
    public void Compute_UnpairedExamples_EqualsTheEquation()
    {
        double[] policy = [-10, -20, -30, -5];
        double[] reference = [-12, -15, -30, -9];
        bool[] desirable = [true, true, false, false];
        double[] losses = new double[4];
        double[] gradients = new double[4];

        new KtoLoss(Weighted).Compute(policy, reference, desirable, 0.7, losses, gradients);

        for (int i = 0; i < 4; i++)
        {
            double r = policy[i] - reference[i];
            double expected = desirable[i] ? 1.5 * (1 - Sigma(0.2 * (r - 0.7))) : 0.5 * (1 - Sigma(0.2 * (0.7 - r)));
            Assert.Equal(expected, losses[i], 1e-15);
            double slope = 0.2 * Sigma(0.2 * (r - 0.7)) * Sigma(0.2 * (0.7 - r));
            Assert.Equal(desirable[i] ? -1.5 * slope : 0.5 * slope, gradients[i], 1e-15);
        }
    }

    [Fact]
    public void Compute_Pairs_IsTheMeanOfTheTwoExamples()
    {
        PairData data = PairData.Random(1, 20);
        Array.Fill(data.Reference, -200, (int)PairSequence.Mismatched * 20, 20);
        PairBatch batch = data.Batch();
        double referencePoint = KtoLoss.ReferencePoint(batch.Policy(PairSequence.Mismatched), batch.Reference(PairSequence.Mismatched));
        KtoLoss loss = new(Weighted);
        double[] desirableLosses = new double[20];
        double[] undesirableLosses = new double[20];
        double[] scratch = new double[20];
        loss.Compute(batch.Policy(PairSequence.Chosen), batch.Reference(PairSequence.Chosen), [.. Enumerable.Repeat(true, 20)], referencePoint, desirableLosses, scratch);
        loss.Compute(batch.Policy(PairSequence.Rejected), batch.Reference(PairSequence.Rejected), new bool[20], referencePoint, undesirableLosses, scratch);

        data.Compute(loss);

        Assert.True(referencePoint > 10);
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal((desirableLosses[i] + undesirableLosses[i]) / 2, data.Losses[i], 1e-15);
        }
    }

    [Fact]
    public void ReferencePoint_NegativeMean_IsZero()
    {
        Assert.Equal(0, KtoLoss.ReferencePoint([-3, -4], [-1, -5]));
        Assert.Equal(1.5, KtoLoss.ReferencePoint([-3, -4], [-5, -5]));
    }

    [Fact]
    public void Compute_UnpairedBadInput_Throws()
    {
        KtoLoss loss = new();
        double[] two = [-1, -2];
        double[] output = new double[4];

        Assert.Throws<ArgumentException>("policy", () => loss.Compute(two, new double[3], new bool[2], 0, new double[2], new double[2]));
        Assert.Throws<ArgumentException>("losses", () => loss.Compute(two, new double[2], new bool[2], 0, output.AsSpan(0, 2), output.AsSpan(1, 2)));
        Assert.Throws<ArgumentException>("losses", () => loss.Compute(two, new double[2], new bool[2], 0, two, new double[2]));
        Assert.Throws<ArgumentOutOfRangeException>("referencePoint", () => loss.Compute(two, new double[2], new bool[2], -1, new double[2], new double[2]));
        Assert.Throws<ArgumentOutOfRangeException>("referencePoint", () => loss.Compute(two, new double[2], new bool[2], double.NaN, new double[2], new double[2]));
        ArgumentException exception = Assert.Throws<ArgumentException>(() => loss.Compute([-1, double.NaN], new double[2], new bool[2], 0, new double[2], new double[2]));
        Assert.Contains("Example 1: the policy's log-probability is NaN", exception.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => KtoLoss.ReferencePoint([], []));
        Assert.Throws<ArgumentException>(() => KtoLoss.ReferencePoint([double.NaN], [1]));
    }

    private static double Sigma(double x) => 1 / (1 + Math.Exp(-x));
}
