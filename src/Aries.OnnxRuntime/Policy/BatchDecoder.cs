namespace Aries.OnnxRuntime;

/// <summary>Decodes and scores on a graph: prompts one after the other, then all rows together, a token a step; a row that ends makes place for the next request.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class BatchDecoder(DecoderGraph graph, IReadOnlyList<int> endTokens, int maxBatchSize, int prefillLength)
{
    private readonly TokenSampler _sampler = new();

    /// <summary>Decodes rows.</summary>
    /// <param name="rows">The rows; none has a token yet.</param>
    /// <param name="cancellationToken">Ends the call within a token.</param>
    public void Decode(IReadOnlyList<DecodedRow> rows, CancellationToken cancellationToken)
    {
        if (rows.Count == 0)
        {
            return;
        }

        graph.EnsureCache(Math.Min(rows.Count, maxBatchSize), rows.Max(row => row.LongestLength));

        // The rows of the batch; each one's slot is its index.
        List<DecodedRow> active = [];
        for (int next = 0; next < rows.Count || active.Count > 0;)
        {
            if (next < rows.Count && active.Count < maxBatchSize)
            {
                Start(rows[next++], active, cancellationToken);
                continue;
            }

            Step(active, cancellationToken);
        }
    }

    /// <summary>Computes log π(token | tokens before) of the response tokens of a sequence.</summary>
    /// <param name="sequences">Tokens, and the index of the first response token: at least 1, below the number of tokens.</param>
    /// <param name="cancellationToken">Ends the call within a pass.</param>
    /// <returns>For each sequence the log-probability of each response token, in nats.</returns>
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution.</exception>
    public float[][] Score(IReadOnlyList<(int[] Tokens, int ResponseStart)> sequences, CancellationToken cancellationToken)
    {
        float[][] results = [.. sequences.Select(sequence => new float[sequence.Tokens.Length - sequence.ResponseStart])];
        if (sequences.Count == 0)
        {
            return results;
        }

        graph.EnsureCache(1, sequences.Max(sequence => sequence.Tokens.Length));
        int[] before = [];
        foreach (int index in Enumerable.Range(0, sequences.Count).OrderBy(index => sequences[index].Tokens, TokenOrder.Instance))
        {
            // What the sequence shares with the one before is in the cache already; rows that predict a response token are computed for their logits.
            (int[] tokens, int responseStart) = sequences[index];
            int start = Math.Min(before.AsSpan().CommonPrefixLength(tokens), responseStart - 1);
            ScoreFrom(start, tokens, responseStart, results[index], cancellationToken);
            before = tokens[..^1];
        }

        return results;
    }

    private void ScoreFrom(int start, int[] tokens, int responseStart, float[] result, CancellationToken cancellationToken)
    {
        // The last token predicts nothing.
        while (start < tokens.Length - 1)
        {
            int end = Math.Min(start + prefillLength, tokens.Length - 1);
            ReadOnlySpan<float> logits = graph.Run(0, tokens.AsSpan(start, end - start), [end], cancellationToken);
            for (int position = Math.Max(start, responseStart - 1); position < end; position++)
            {
                float value = _sampler.LogProbability(logits.Slice((position - start) * graph.VocabularySize, graph.VocabularySize), tokens[position + 1]);
                result[position + 1 - responseStart] = float.IsNaN(value) ? throw new NonFiniteLogitsException(position + 1 - responseStart, value) : value;
            }

            start = end;
        }
    }

    private void Start(DecodedRow row, List<DecodedRow> active, CancellationToken cancellationToken)
    {
        int slot = active.Count;
        int start = CopySharedPrefix(row, active, slot);
        row.CachedPromptTokens = start;
        ReadOnlySpan<float> logits = [];
        while (start < row.Prompt.Length)
        {
            int end = Math.Min(start + prefillLength, row.Prompt.Length);
            logits = graph.Run(slot, row.Prompt.AsSpan(start, end - start), [end], cancellationToken);
            start = end;
        }

        row.Draw(_sampler, logits[^graph.VocabularySize..], endTokens);
        if (row.FinishReason is null)
        {
            active.Add(row);
        }
    }

    // The last token of a prompt is always computed: its logits are wanted.
    private int CopySharedPrefix(DecodedRow row, List<DecodedRow> active, int slot)
    {
        int longest = 0;
        int source = 0;
        for (int index = 0; index < active.Count; index++)
        {
            int shared = Math.Min(active[index].Prompt.AsSpan().CommonPrefixLength(row.Prompt), row.Prompt.Length - 1);
            (longest, source) = shared > longest ? (shared, index) : (longest, source);
        }

        if (longest > 0)
        {
            graph.Cache.Copy(source, slot, longest);
        }

        return longest;
    }

    private void Step(List<DecodedRow> active, CancellationToken cancellationToken)
    {
        int[] tokens = [.. active.Select(row => row.LastToken)];
        int[] lengths = [.. active.Select(row => row.Length)];
        ReadOnlySpan<float> logits = graph.Run(0, tokens, lengths, cancellationToken);
        for (int index = 0; index < active.Count; index++)
        {
            active[index].Draw(_sampler, logits.Slice(index * graph.VocabularySize, graph.VocabularySize), endTokens);
        }

        // Backwards: the last row, which takes the place of one that ended, has been looked at by then.
        for (int index = active.Count - 1; index >= 0; index--)
        {
            if (active[index].FinishReason is null)
            {
                continue;
            }

            int last = active.Count - 1;
            if (index != last)
            {
                graph.Cache.Copy(last, index, active[last].Length - 1);
                active[index] = active[last];
            }

            active.RemoveAt(last);
        }
    }

    private sealed class TokenOrder : IComparer<int[]>
    {
        public static TokenOrder Instance { get; } = new();

        public int Compare(int[]? x, int[]? y) => x.AsSpan().SequenceCompareTo(y);
    }
}
