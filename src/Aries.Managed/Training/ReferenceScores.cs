using Aries.Preferences;

namespace Aries.Managed;

/// <summary>The reference's log-probabilities of every row's sequences, in nats.</summary>
internal sealed class ReferenceScores
{
    public ReferenceScores(double[] values, int rowCount)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, PairBatch.SequenceCount * rowCount, nameof(values));
        (Values, RowCount) = (values, rowCount);
    }

    /// <summary>Gets the values; 0 where a sequence is not scored. Shape [<see cref="PairBatch.SequenceCount"/>, rows].</summary>
    public double[] Values { get; }

    public int RowCount { get; }

    public double this[int sequence, int row] => Values[(sequence * RowCount) + row];

    /// <summary>Scores every row once.</summary>
    public static ReferenceScores Compute(
        SequenceScorer scorer, IReadOnlyList<TrainingRow> rows, PairSequences sequences, int tokenBudget, CancellationToken cancellationToken)
    {
        double[] values = new double[PairBatch.SequenceCount * rows.Count];
        int[] all = [.. Enumerable.Range(0, rows.Count)];
        RowScores scores = new(sequences);
        MicroBatches parts = new(tokenBudget);
        scorer.Reserve(parts.MostTokens(rows, rows.Count), forBackward: false);
        foreach ((int start, int count, _) in parts.Split(rows, all))
        {
            scores.Load(rows, all.AsSpan(start, count), null);
            scores.Score(scorer, forBackward: false, cancellationToken);
            for (int sequence = 0; sequence < PairBatch.SequenceCount; sequence++)
            {
                scores.Policy.Slice(sequence * count, count).CopyTo(values.AsSpan((sequence * rows.Count) + start));
            }
        }

        return new ReferenceScores(values, rows.Count);
    }
}
