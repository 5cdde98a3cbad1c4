using System.Runtime.InteropServices;

namespace Aries.Managed;

/// <summary>Cuts a batch into runs of whole rows whose token trees fit a number of tokens.</summary>
/// <threadsafety>Not thread-safe: it keeps its tree, and allocates only when a batch is larger than all before.</threadsafety>
internal sealed class MicroBatches(int tokenBudget)
{
    // Activations of a token, kept for the backward pass: the residual stream twice, queries and attention, gate and up, keys and values.
    private const long ActivationBytes = 1L << 30;

    private readonly TokenTree _tree = new();
    private readonly List<MicroBatch> _parts = [];

    /// <summary>Gets the number of tokens of a tree that are computed at once.</summary>
    public int TokenBudget { get; } = tokenBudget;

    /// <summary>Returns how many tokens have activations of about 1 GiB.</summary>
    public static int DefaultTokens(LlamaConfig config)
    {
        long width = (2L * config.HiddenSize) + (2L * config.HeadCount * config.HeadSize) + (2L * config.IntermediateSize) + (2L * config.KeyValueHeadCount * config.HeadSize);
        return (int)Math.Clamp(ActivationBytes / (sizeof(float) * width * config.LayerCount), 256, 1 << 16);
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
