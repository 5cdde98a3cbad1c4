using System.Runtime.InteropServices;

namespace Aries.Managed;

/// <summary>Cuts a batch into runs of whole rows whose token trees fit a number of tokens.</summary>
/// <threadsafety>Not thread-safe: it keeps its tree, and allocates only when a batch is larger than all before.</threadsafety>
internal sealed class MicroBatches(int tokenBudget)
{
    // Products share a copy of the weights among so many rows: with half of them a step takes a twentieth longer, with more a few percent less at most.
    private const int EnoughTokens = 896;

    private const long MostBytes = 1L << 30;

    private readonly TokenTree _tree = new();
    private readonly List<MicroBatch> _parts = [];

    /// <summary>Gets the number of tokens of a tree that are computed at once.</summary>
    public int TokenBudget { get; } = tokenBudget;

    /// <summary>Returns how many tokens are enough for the products and have activations of 1 GiB at most, but 256 in any case.</summary>
    public static int DefaultTokens(LlamaConfig config)
    {
        // Of a token, kept for the backward pass: the residual stream twice, queries and attention, gate and up, keys and values.
        long width = (2L * config.HiddenSize) + (2L * config.HeadCount * config.HeadSize) + (2L * config.IntermediateSize) + (2L * config.KeyValueHeadCount * config.HeadSize);
        return (int)Math.Clamp(MostBytes / (sizeof(float) * width * config.LayerCount), 256, EnoughTokens);
    }

    /// <summary>Returns how many tokens a run has at most, whatever rows are in the batch.</summary>
    /// <param name="rows">All rows.</param>
    /// <param name="batchSize">The rows of a batch.</param>
    public int MostTokens(IReadOnlyList<TrainingRow> rows, int batchSize)
    {
        int[] counts = new int[rows.Count];
        for (int row = 0; row < counts.Length; row++)
        {
            _tree.Clear();
            Add(rows[row]);
            counts[row] = _tree.RowCount;
        }

        Array.Sort(counts);
        long together = counts.TakeLast(batchSize).Sum(count => (long)count);
        return Math.Max(counts.Length == 0 ? 0 : counts[^1], (int)Math.Min(together, TokenBudget));
    }

    /// <summary>Lists the runs in order; a row that is too long is a run of its own. Valid until the next call.</summary>
    /// <param name="rows">All rows.</param>
    /// <param name="batch">The indices of those to cut.</param>
    public ReadOnlySpan<MicroBatch> Split(IReadOnlyList<TrainingRow> rows, ReadOnlySpan<int> batch)
    {
        _parts.Clear();
        int start = 0;
        while (start < batch.Length)
        {
            _tree.Clear();
            int count = 0;
            int tokens = 0;
            while (start + count < batch.Length)
            {
                Add(rows[batch[start + count]]);
                if (count > 0 && _tree.RowCount > TokenBudget)
                {
                    break;
                }

                (count, tokens) = (count + 1, _tree.RowCount);
            }

            _parts.Add(new MicroBatch(start, count, tokens));
            start += count;
        }

        return CollectionsMarshal.AsSpan(_parts);
    }

    private void Add(TrainingRow row)
    {
        foreach (TrainingSequence sequence in row.Sequences)
        {
            if (sequence.Tokens.Length > 0)
            {
                _tree.Add(sequence.Tokens, sequence.ResponseStart);
            }
        }
    }
}
