namespace Aries.Preferences.Tests;

public class WeightedLossTests
{
    [Fact]
    public void Compute_SeveralTerms_IsTheirWeightedSum()
    {
        (IPreferenceLoss Loss, double Weight)[] terms = [(new DpoLoss(), 0.7), (new OwnLoss(), 3), (new SupervisedLoss(LossNormalization.Sum), 0.2), (new RefinementLoss(), 1.5)];
        WeightedLoss weighted = new([.. terms.Select(t => new WeightedLossTerm(t.Loss, t.Weight))]);
        PairData actual = PairData.Random(1, 90).Compute(weighted);
        double[] losses = new double[90];
        double[] gradients = new double[actual.Gradients.Length];
        foreach ((IPreferenceLoss loss, double weight) in terms)
        {
            PairData part = PairData.Random(1, 90).Compute(loss);
            for (int i = 0; i < losses.Length; i++)
            {
                losses[i] += weight * part.Losses[i];
            }

            for (int i = 0; i < gradients.Length; i++)
            {
                gradients[i] += weight * part.Gradients[i];
            }
        }

        // The refinement term's two sides are weighted before they are added: the last bit may differ.
        Assert.All(losses.Zip(actual.Losses), p => Assert.Equal(p.First, p.Second, 1e-14 * (1 + Math.Abs(p.First))));
        Assert.All(gradients.Zip(actual.Gradients), p => Assert.Equal(p.First, p.Second, 1e-14 * (1 + Math.Abs(p.First))));
    }

    [Fact]
    public void Members_SeveralTerms_AskForWhatAnyTermNeeds()
    {
        WeightedLoss free = new(new WeightedLossTerm(new SimPoLoss(), 1), new WeightedLossTerm(new SupervisedLoss(), 1));
        WeightedLoss mixed = new(new WeightedLossTerm(new SupervisedLoss(), 1), new WeightedLossTerm(new DpoLoss(new() { Beta = 0.3 }), 1), new WeightedLossTerm(new RefinementLoss(), 1));

        Assert.False(free.NeedsReference);
        Assert.Equal(PairSequences.Direct, free.Sequences);
        Assert.True(mixed.NeedsReference);
        Assert.Equal(PairSequences.Direct | PairSequences.Refinement, mixed.Sequences);
        Assert.Equal(0.3, mixed.Reward.Beta);
        Assert.False(mixed.HonorsSoftLabels);
        Assert.True(new WeightedLoss(new WeightedLossTerm(new DpoLoss(), 1), new WeightedLossTerm(new RefinementLoss(), 1)).HonorsSoftLabels);
    }

    [Fact]
    public void Compute_OwnTermWarm_AllocatesNothing()
    {
        WeightedLoss loss = new(new WeightedLossTerm(new OwnLoss(), 1), new WeightedLossTerm(new DpoLoss(), 1));
        PairData data = PairData.Random(2, 100).Compute(loss);
        long before = GC.GetAllocatedBytesForCurrentThread();

        loss.Compute(data.Batch(), data.Losses, new PairGradients(data.Gradients));

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    /// <summary>A loss as a user writes one: the squared log-probability of the rejected response.</summary>
    private sealed class OwnLoss : IPreferenceLoss
    {
        public PairSequences Sequences => PairSequences.Rejected;

        public bool NeedsReference => false;

        public void Compute(in PairBatch batch, Span<double> losses, in PairGradients gradients)
        {
            gradients.Values.Clear();
            ReadOnlySpan<double> rejected = batch.Policy(PairSequence.Rejected);
            for (int i = 0; i < losses.Length; i++)
            {
                losses[i] = rejected[i] * rejected[i];
                gradients.Row(PairSequence.Rejected)[i] = 2 * rejected[i];
            }
        }
    }
}
