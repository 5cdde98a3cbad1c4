using System.Runtime.InteropServices;

namespace Aries.OnnxRuntime;

/// <summary>Decodes and scores on a graph: prompts one after the other, then all rows together, a token a step; a row that ends makes place for the next request.</summary>
/// <remarks>
/// The rows in decoding are the first slots of the cache. What lies in the others, from rows that have ended, is kept until another row takes the slot: over calls too, where that is wanted.
/// </remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class BatchDecoder(DecoderGraph graph, IReadOnlyList<int> endTokens, int maxBatchSize, int prefillLength, bool keepsPrompts)
{
    private readonly TokenSampler _sampler = new();

    // The tokens whose keys and values lie in each slot. A token is added when its run has ended, so a call that was cancelled leaves nothing half done.
    private readonly List<List<int>> _held = [];

    /// <summary>Decodes rows.</summary>
    /// <param name="rows">The rows; none has a token yet.</param>
    /// <param name="cancellationToken">Ends the call within a token.</param>
    public void Decode(IReadOnlyList<DecodedRow> rows, CancellationToken cancellationToken)
    {
        if (rows.Count == 0)
        {
            return;
        }

        EnsureCache(Math.Min(rows.Count, maxBatchSize), rows.Max(row => row.LongestLength));

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
    /// <returns>For each sequence the log-probability of each response token, in nats. It depends on the sequences of the call alone.</returns>
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution.</exception>
    public float[][] Score(IReadOnlyList<(int[] Tokens, int ResponseStart)> sequences, CancellationToken cancellationToken)
    {
        float[][] results = [.. sequences.Select(sequence => new float[sequence.Tokens.Length - sequence.ResponseStart])];
        if (sequences.Count == 0)
        {
            return results;
        }

        EnsureCache(1, sequences.Max(sequence => sequence.Tokens.Length));
        _held[0].Clear();
        foreach (int index in Enumerable.Range(0, sequences.Count).OrderBy(index => sequences[index].Tokens, TokenOrder.Instance))
        {
            // What the sequence shares with the one before is in the cache already; rows that predict a response token are computed for their logits.
            (int[] tokens, int responseStart) = sequences[index];
            int start = Math.Min(SharedLength(0, tokens), responseStart - 1);
            ScoreFrom(start, tokens, responseStart, results[index], cancellationToken);
        }

        return results;
    }

    private void EnsureCache(int slotCount, int length)
    {
        if (!keepsPrompts)
        {
            _held.ForEach(held => held.Clear());
        }

        graph.EnsureCache(slotCount, length, _held.ConvertAll(held => held.Count));
        while (_held.Count < graph.Cache.SlotCount)
        {
            _held.Add([]);
        }
    }

    private void ScoreFrom(int start, int[] tokens, int responseStart, float[] result, CancellationToken cancellationToken)
    {
        // The last token predicts nothing.
        while (start < tokens.Length - 1)
        {
            int end = Math.Min(start + prefillLength, tokens.Length - 1);
            if (graph.GivesLastLogitsAlone)
            {
                end = start < responseStart - 1 ? Math.Min(end, responseStart - 1) : start + 1;
            }

            int first = Math.Clamp(responseStart - 1, start, end - 1);
            ReadOnlySpan<float> logits = Extend(0, start, tokens.AsSpan(start, end - start), end - first, cancellationToken);
            for (int position = Math.Max(first, responseStart - 1); position < end; position++)
            {
                float value = _sampler.LogProbability(logits.Slice((position - first) * graph.VocabularySize, graph.VocabularySize), tokens[position + 1]);
                result[position + 1 - responseStart] = float.IsNaN(value) ? throw new NonFiniteLogitsException(position + 1 - responseStart, value) : value;
            }

            start = end;
        }
    }

    private void Start(DecodedRow row, List<DecodedRow> active, CancellationToken cancellationToken)
    {
        int slot = active.Count;
        int start = TakeOverPrefix(row.Prompt, slot);
        row.CachedPromptTokens = start;
        if (start == row.Prompt.Length - 1)
        {
            // The last token of a candidate, or of a prompt that is known, goes with the next step of all rows, which reads the weights once for them.
            active.Add(row);
            return;
        }

        ReadOnlySpan<float> logits = [];
        while (start < row.Prompt.Length)
        {
            int end = Math.Min(start + prefillLength, row.Prompt.Length);
            logits = Extend(slot, start, row.Prompt.AsSpan(start, end - start), wanted: 1, cancellationToken);
            start = end;
        }

        row.Draw(_sampler, logits, endTokens);
        if (row.FinishReason is null)
        {
            active.Add(row);
        }
    }

    // Puts tokens into a slot after so many that are there.
    private ReadOnlySpan<float> Extend(int slot, int start, ReadOnlySpan<int> tokens, int wanted, CancellationToken cancellationToken)
    {
        _held[slot].RemoveRange(start, _held[slot].Count - start);
        ReadOnlySpan<float> logits = graph.Run(slot, tokens, [start + tokens.Length], wanted, cancellationToken);
        _held[slot].AddRange(tokens);
        return logits;
    }

    // Brings the longest beginning of a prompt that any slot holds into the first slot that no row has. The last token is always computed: its logits are wanted.
    private int TakeOverPrefix(int[] prompt, int slot)
    {
        int longest = 0;
        int source = slot;
        for (int index = 0; index < _held.Count; index++)
        {
            int shared = Math.Min(SharedLength(index, prompt), prompt.Length - 1);
            (longest, source) = shared > longest ? (shared, index) : (longest, source);
        }

        if (source < slot)
        {
            graph.Cache.Copy(source, slot, longest);
            _held[slot].Clear();
            _held[slot].AddRange(prompt.AsSpan(0, longest));
        }
        else
        {
            Swap(source, slot);
            _held[slot].RemoveRange(longest, _held[slot].Count - longest);
        }

        return longest;
    }

    private int SharedLength(int slot, ReadOnlySpan<int> tokens) => CollectionsMarshal.AsSpan(_held[slot]).CommonPrefixLength(tokens);

    private void Swap(int first, int second)
    {
        if (first != second)
        {
            graph.Cache.Swap(first, second, Math.Max(_held[first].Count, _held[second].Count));
            (_held[first], _held[second]) = (_held[second], _held[first]);
        }
    }

    private void Step(List<DecodedRow> active, CancellationToken cancellationToken)
    {
        int[] tokens = [.. active.Select(row => row.LastToken)];
        int[] lengths = [.. active.Select(row => row.Length)];
        ReadOnlySpan<float> logits = graph.Run(0, tokens, lengths, wanted: 1, cancellationToken);
        for (int index = 0; index < active.Count; index++)
        {
            _held[index].Add(tokens[index]);
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
            Swap(index, last);
            active[index] = active[last];
            active.RemoveAt(last);
        }
    }

    private sealed class TokenOrder : IComparer<int[]>
    {
        public static TokenOrder Instance { get; } = new();

        public int Compare(int[]? x, int[]? y) => x.AsSpan().SequenceCompareTo(y);
    }
}
