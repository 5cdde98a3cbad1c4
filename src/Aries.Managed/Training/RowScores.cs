using Aries.Preferences;

namespace Aries.Managed;

/// <summary>Some rows with their log-probabilities, laid out as a <see cref="PairBatch"/> wants them.</summary>
/// <threadsafety>Not thread-safe: it keeps its arrays.</threadsafety>
internal sealed class RowScores
{
    private readonly int[] _kinds;
    private readonly bool _soft;
    private TrainingRow[] _rows = [];
    private double[] _policy = [];
    private double[] _reference = [];
    private double[] _gradients = [];
    private double[] _losses = [];
    private double[] _probabilities = [];
    private double[] _sums = [];
    private int[] _lengths = [];
    private bool _hasReference;

    public RowScores(PairSequences sequences, bool soft = false)
    {
        _kinds = [.. Enumerable.Range(0, PairBatch.SequenceCount).Where(kind => (((int)sequences >> kind) & 1) != 0)];
        _soft = soft;
    }

    /// <summary>Gets the number of rows.</summary>
    public int Count { get; private set; }

    /// <summary>Gets the policy's log-probabilities. Shape [<see cref="PairBatch.SequenceCount"/>, rows].</summary>
    public Span<double> Policy => _policy.AsSpan(0, PairBatch.SequenceCount * Count);

    /// <summary>Gets the loss of each row. Shape [rows].</summary>
    public Span<double> Losses => _losses.AsSpan(0, Count);

    /// <summary>Gets ∂loss/∂log-probability. Shape [<see cref="PairBatch.SequenceCount"/>, rows].</summary>
    public Span<double> Gradients => _gradients.AsSpan(0, PairBatch.SequenceCount * Count);

    /// <summary>Takes up rows and what the reference says of them.</summary>
    public void Load(IReadOnlyList<TrainingRow> rows, ReadOnlySpan<int> indices, ReferenceScores? reference)
    {
        Count = indices.Length;
        _hasReference = reference is not null;
        Reserve();
        Array.Clear(_reference);
        Array.Clear(_lengths);
        for (int row = 0; row < Count; row++)
        {
            _rows[row] = rows[indices[row]];
            _probabilities[row] = _rows[row].ChosenProbability;
            foreach (int kind in _kinds)
            {
                _lengths[(kind * Count) + row] = _rows[row].Sequences[kind].ResponseLength;
                _reference[(kind * Count) + row] = reference?[kind, indices[row]] ?? 0;
            }
        }
    }

    /// <summary>Scores every sequence in one token tree.</summary>
    public void Score(SequenceScorer scorer, bool forBackward, CancellationToken cancellationToken)
    {
        scorer.Clear();
        for (int row = 0; row < Count; row++)
        {
            foreach (int kind in _kinds)
            {
                TrainingSequence sequence = _rows[row].Sequences[kind];
                scorer.Add(sequence.Tokens, sequence.ResponseStart);
            }
        }

        scorer.Score(_sums, forBackward, cancellationToken);
        Policy.Clear();
        int index = 0;
        for (int row = 0; row < Count; row++)
        {
            foreach (int kind in _kinds)
            {
                _policy[(kind * Count) + row] = _sums[index++];
            }
        }
    }

    /// <summary>Shows the rows to a loss.</summary>
    public PairBatch Show(int pairCount, int chosenTokenCount) => new(
        Policy,
        _hasReference ? _reference.AsSpan(0, PairBatch.SequenceCount * Count) : [],
        _lengths.AsSpan(0, PairBatch.SequenceCount * Count),
        _soft ? _probabilities.AsSpan(0, Count) : [],
        pairCount,
        chosenTokenCount);

    /// <summary>Takes the derivatives of some rows out of those of a whole batch.</summary>
    public void TakeGradients(RowScores batch, int start)
    {
        for (int kind = 0; kind < PairBatch.SequenceCount; kind++)
        {
            batch.Gradients.Slice((kind * batch.Count) + start, Count).CopyTo(Gradients[(kind * Count)..]);
        }
    }

    /// <summary>Writes some rows' log-probabilities into those of a whole batch.</summary>
    public void PutPolicy(RowScores batch, int start)
    {
        for (int kind = 0; kind < PairBatch.SequenceCount; kind++)
        {
            Policy.Slice(kind * Count, Count).CopyTo(batch.Policy[((kind * batch.Count) + start)..]);
        }
    }

    /// <summary>Back-propagates the derivatives, each divided by the number of pairs of the optimiser batch.</summary>
    public void Backward(SequenceScorer scorer, ModelGradients gradients, int pairCount, CancellationToken cancellationToken)
    {
        int index = 0;
        for (int row = 0; row < Count; row++)
        {
            foreach (int kind in _kinds)
            {
                _sums[index++] = _gradients[(kind * Count) + row] / pairCount;
            }
        }

        scorer.Backward(_sums.AsSpan(0, index), gradients, cancellationToken);
    }

    private void Reserve()
    {
        if (_rows.Length < Count)
        {
            int capacity = Count + (Count / 8);
            _rows = new TrainingRow[capacity];
            _losses = new double[capacity];
            _probabilities = new double[capacity];
            _policy = new double[PairBatch.SequenceCount * capacity];
            _reference = new double[PairBatch.SequenceCount * capacity];
            _gradients = new double[PairBatch.SequenceCount * capacity];
            _sums = new double[PairBatch.SequenceCount * capacity];
            _lengths = new int[PairBatch.SequenceCount * capacity];
        }
    }
}
