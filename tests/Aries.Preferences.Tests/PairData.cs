namespace Aries.Preferences.Tests;

/// <summary>The arrays behind a batch and its outputs, by sequence; what is not set is NaN, so that a loss that reads more than it says is found out.</summary>
internal sealed class PairData
{
    public PairData(int count)
    {
        Count = count;
        Policy = new double[PairBatch.SequenceCount * count];
        Reference = new double[PairBatch.SequenceCount * count];
        Lengths = new int[PairBatch.SequenceCount * count];
        Losses = new double[count];
        Gradients = new double[PairBatch.SequenceCount * count];
        Array.Fill(Policy, double.NaN);
        Array.Fill(Reference, double.NaN);
        Array.Fill(Losses, double.NaN);
        Array.Fill(Gradients, double.NaN);
    }

    public int Count { get; }

    public double[] Policy { get; }

    public double[] Reference { get; }

    public int[] Lengths { get; }

    public double[] Labels { get; set; } = [];

    public int? PairCount { get; set; }

    public int? ChosenTokenCount { get; set; }

    public double[] Losses { get; }

    public double[] Gradients { get; }

    public PairData Set(PairSequence sequence, double[] policy, double[]? reference = null, int[]? lengths = null)
    {
        policy.CopyTo(Policy, (int)sequence * Count);
        reference?.CopyTo(Reference, (int)sequence * Count);
        lengths?.CopyTo(Lengths, (int)sequence * Count);
        return this;
    }

    /// <summary>Random rows for all sequences: log-ratios within ±<paramref name="spread"/> nats.</summary>
    public static PairData Random(int seed, int count, double spread = 20)
    {
        Random random = new(seed);
        PairData data = new(count);
        int[] chosen = [.. Enumerable.Range(0, count).Select(_ => random.Next(1, 40))];
        int[] rejected = [.. Enumerable.Range(0, count).Select(_ => random.Next(1, 40))];
        for (int row = 0; row < PairBatch.SequenceCount; row++)
        {
            bool isChosen = (PairSequence)row is PairSequence.Chosen or PairSequence.ChosenGivenChosen or PairSequence.ChosenGivenRejected or PairSequence.Mismatched;
            for (int i = 0; i < count; i++)
            {
                int at = (row * count) + i;
                data.Lengths[at] = isChosen ? chosen[i] : rejected[i];
                data.Policy[at] = -0.5 - (150 * random.NextDouble());
                data.Reference[at] = data.Policy[at] + (spread * ((2 * random.NextDouble()) - 1));
            }
        }

        return data;
    }

    public PairData WithLabels(int seed)
    {
        Random random = new(seed);
        Labels = [.. Enumerable.Range(0, Count).Select(_ => random.NextDouble())];
        return this;
    }

    public PairBatch Batch() => new(Policy, Reference, Lengths, Labels, PairCount, ChosenTokenCount);

    public PairData Compute(IPreferenceLoss loss)
    {
        loss.Compute(Batch(), Losses, new PairGradients(Gradients));
        return this;
    }

    public double Gradient(PairSequence sequence, int pair = 0) => Gradients[((int)sequence * Count) + pair];

    public double[] GradientRow(PairSequence sequence) => Gradients[((int)sequence * Count)..(((int)sequence + 1) * Count)];

    /// <summary>The batch of one pair, with the counts of the whole.</summary>
    public PairData Pair(int index)
    {
        PairBatch whole = Batch();
        PairData pair = new(1) { PairCount = whole.PairCount, ChosenTokenCount = whole.ChosenTokenCount };
        for (int row = 0; row < PairBatch.SequenceCount; row++)
        {
            pair.Policy[row] = Policy[(row * Count) + index];
            pair.Reference[row] = Reference[(row * Count) + index];
            pair.Lengths[row] = Lengths[(row * Count) + index];
        }

        if (Labels.Length > 0)
        {
            pair.Labels = [Labels[index]];
        }

        return pair;
    }
}
