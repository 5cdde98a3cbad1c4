using CsCheck;

namespace Aries.Preferences.Tests;

/// <summary>The vectorised losses against scalar twins that are written straight from the equations.</summary>
public class LossTwinTests
{
    [Fact]
    public void Compute_Dpo_EqualsItsScalarTwin() => Gen.Select(Gen.Int, Gen.Int[1, 200], Gen.Double[0.01, 1]).Sample((seed, count, beta) =>
    {
        PairData data = PairData.Random(seed, count).Compute(new DpoLoss(new() { Beta = beta }));
        for (int i = 0; i < count; i++)
        {
            double z = beta * (Ratio(data, PairSequence.Chosen, i) - Ratio(data, PairSequence.Rejected, i));
            double loss = Math.Log(1 + Math.Exp(-z));
            Assert.Equal(loss, data.Losses[i], 1e-12 * (1 + loss));
            Assert.Equal(-beta / (1 + Math.Exp(z)), data.Gradient(PairSequence.Chosen, i), 1e-13);
            Assert.Equal(beta / (1 + Math.Exp(z)), data.Gradient(PairSequence.Rejected, i), 1e-13);
        }
    }, iter: 200);

    [Fact]
    public void Compute_Aries_EqualsItsScalarTwin() => Gen.Select(Gen.Int, Gen.Int[1, 200], Gen.Double[0, 1], Gen.Double[0.01, 0.5]).Sample((seed, count, alpha, beta) =>
    {
        PairData data = PairData.Random(seed, count).WithLabels(seed);
        data.Compute(new AriesLoss(new() { Alpha = alpha, DpoBeta = 2 * beta, RefinementBeta = beta }));
        for (int i = 0; i < count; i++)
        {
            double p = data.Labels[i];
            double z = 2 * beta * (Ratio(data, PairSequence.Chosen, i) - Ratio(data, PairSequence.Rejected, i));
            double direct = (p * Math.Log(1 + Math.Exp(-z))) + ((1 - p) * Math.Log(1 + Math.Exp(z)));
            double v1 = beta * (Ratio(data, PairSequence.ChosenGivenRejected, i) - Ratio(data, PairSequence.RejectedGivenRejected, i));
            double v2 = beta * (Ratio(data, PairSequence.RejectedGivenChosen, i) - Ratio(data, PairSequence.ChosenGivenChosen, i));
            double refinement = Math.Pow(p - 0.5 - v1, 2) + Math.Pow(0.5 - p - v2, 2);
            double loss = ((1 - alpha) * direct) + (alpha * refinement);
            Assert.Equal(loss, data.Losses[i], 1e-12 * (1 + loss));
            Assert.Equal(-2 * alpha * beta * (p - 0.5 - v1), data.Gradient(PairSequence.ChosenGivenRejected, i), 1e-12);
            Assert.Equal(-2 * alpha * beta * (0.5 - p - v2), data.Gradient(PairSequence.RejectedGivenChosen, i), 1e-12);
        }
    }, iter: 200);

    // CPO has no recorded vector: its equation, with both normalisations.
    [Fact]
    public void Compute_Cpo_EqualsItsEquation()
    {
        PairData data = PairData.Random(3, 30);
        int tokens = data.Lengths[..30].Sum();

        data.Compute(new CpoLoss(new() { Beta = 0.2, NllWeight = 0.5 }));

        for (int i = 0; i < 30; i++)
        {
            double chosen = data.Policy[i];
            double z = 0.2 * (chosen - data.Policy[30 + i]);
            Assert.Equal(Math.Log(1 + Math.Exp(-z)) - (0.5 * chosen * 30 / tokens), data.Losses[i], 1e-11);
        }

        data.Compute(new CpoLoss(new() { Beta = 0.2, NllWeight = 0.5, Normalization = LossNormalization.Sum }));

        for (int i = 0; i < 30; i++)
        {
            double chosen = data.Policy[i];
            double z = 0.2 * (chosen - data.Policy[30 + i]);
            Assert.Equal(Math.Log(1 + Math.Exp(-z)) - (0.5 * chosen), data.Losses[i], 1e-11);
        }
    }

    private static double Ratio(PairData data, PairSequence sequence, int pair)
    {
        int at = ((int)sequence * data.Count) + pair;
        return data.Policy[at] - data.Reference[at];
    }
}
