using Aries.Preferences;

namespace Aries.EndToEnd.Tests.Snippets;

/// <summary>The code of docs/concepts/losses.md.</summary>
internal static class LossValues
{
    public static (double[] Losses, double ChosenSlope) Compute()
    {
        #region compute
        // Two pairs. A row holds one sequence of every pair: first log π(y_w|x), then log π(y_l|x); DPO reads no other row.
        double[] policy = new double[PairBatch.SequenceCount * 2];
        double[] reference = new double[PairBatch.SequenceCount * 2];
        new[] { -12.0, -30.0, -14.0, -29.0 }.CopyTo(policy, 0);
        new[] { -13.0, -30.0, -13.0, -30.0 }.CopyTo(reference, 0);
        double[] losses = new double[2];
        double[] gradients = new double[PairBatch.SequenceCount * 2];

        DpoLoss loss = new(new DpoLossOptions { Beta = 0.1 });
        loss.Compute(new PairBatch(policy, reference, lengths: []), losses, new PairGradients(gradients));

        double slope = new PairGradients(gradients).Row(PairSequence.Chosen)[0]; // ∂loss/∂log π(y_w|x) of the first pair
        #endregion
        return (losses, slope);
    }
}
