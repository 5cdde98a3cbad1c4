using CsCheck;

namespace Aries.Preferences.Tests;

public class LossGradientTests
{
    private const int Pairs = 67;
    private const double Step = 1e-4;

    public static TheoryData<string> Names => LossCatalog.Names;

    public static TheoryData<string> SoftLabelNames => LossCatalog.SoftLabelNames;

    [Theory]
    [MemberData(nameof(Names))]
    public void Compute_RandomPairs_GradientIsTheFiniteDifference(string name) =>
        Gen.Int.Sample(seed => AssertFiniteDifference(LossCatalog.Get(name), PairData.Random(seed, Pairs)), iter: 40);

    [Theory]
    [MemberData(nameof(SoftLabelNames))]
    public void Compute_SoftLabels_GradientIsTheFiniteDifference(string name) =>
        Gen.Int.Sample(seed => AssertFiniteDifference(LossCatalog.Get(name), PairData.Random(seed, Pairs).WithLabels(seed)), iter: 40);

    [Fact]
    public void LossCatalog_Package_HasEveryLoss()
    {
        Type[] losses = [.. typeof(IPreferenceLoss).Assembly.GetTypes().Where(t => t.IsClass && !t.IsAbstract && t.IsAssignableTo(typeof(IPreferenceLoss)))];

        Assert.NotEmpty(losses);
        Assert.Empty(losses.Except(LossCatalog.Types));
    }

    // Pairs are independent but for KTO's reference point, which is a constant to the gradient and depends on the mismatched row only: a whole row is moved at once.
    private static void AssertFiniteDifference(IPreferenceLoss loss, PairData data)
    {
        double[] gradients = data.Compute(loss).Gradients.ToArray();
        foreach (PairSequence sequence in Enum.GetValues<PairSequence>())
        {
            double[] up = Moved(loss, data, sequence, Step);
            double[] down = Moved(loss, data, sequence, -Step);
            for (int i = 0; i < data.Count; i++)
            {
                double gradient = gradients[((int)sequence * data.Count) + i];
                if (!loss.Trains(sequence))
                {
                    Assert.Equal(0, gradient);
                    continue;
                }

                if (loss is HingeLoss && (up[i] == 0) != (down[i] == 0))
                {
                    continue;
                }

                double difference = (up[i] - down[i]) / (2 * Step);
                double tolerance = (1e-6 * Math.Abs(difference)) + (2e-8 * (1 + Math.Abs(up[i])));
                Assert.True(Math.Abs(gradient - difference) <= tolerance, $"pair {i}, {sequence}: gradient {gradient:R}, finite difference {difference:R}");
            }
        }
    }

    private static double[] Moved(IPreferenceLoss loss, PairData data, PairSequence sequence, double by)
    {
        double[] policy = data.Policy.ToArray();
        Span<double> row = policy.AsSpan((int)sequence * data.Count, data.Count);
        foreach (ref double value in row)
        {
            value += by;
        }

        double[] losses = new double[data.Count];
        loss.Compute(new PairBatch(policy, data.Reference, data.Lengths, data.Labels), losses, new PairGradients(new double[policy.Length]));
        return losses;
    }
}
