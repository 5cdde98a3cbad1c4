namespace Aries.Managed;

/// <summary>Cuts a batch into runs of whole rows that fit a number of tokens.</summary>
internal static class MicroBatches
{
    // Activations of a token, kept for the backward pass: the residual stream twice, queries and attention, gate and up, keys and values.
    private const long ActivationBytes = 1L << 30;

    /// <summary>Returns how many tokens have activations of about 1 GiB.</summary>
    public static int DefaultTokens(LlamaConfig config)
    {
        long width = (2L * config.HiddenSize) + (2L * config.HeadCount * config.HeadSize) + (2L * config.IntermediateSize) + (2L * config.KeyValueHeadCount * config.HeadSize);
        return (int)Math.Clamp(ActivationBytes / (sizeof(float) * width * config.LayerCount), 256, 1 << 16);
    }

    /// <summary>Lists (start, count) of each run, in order; a row that is too long is a run of its own.</summary>
    public static IEnumerable<(int Start, int Count)> Split(IReadOnlyList<TrainingRow> rows, IReadOnlyList<int> batch, int tokenBudget)
    {
        int start = 0;
        while (start < batch.Count)
        {
            int count = 1;
            long tokens = rows[batch[start]].TokenCount;
            while (start + count < batch.Count && tokens + rows[batch[start + count]].TokenCount <= tokenBudget)
            {
                tokens += rows[batch[start + count]].TokenCount;
                count++;
            }

            yield return (start, count);
            start += count;
        }
    }
}
