using System.Runtime.InteropServices;

namespace Aries.Managed;

/// <summary>Computes what a cache lacks of some prompts: keys, values, and the hidden row that predicts each one's first token.</summary>
/// <threadsafety>Not thread-safe: it keeps its buffers.</threadsafety>
internal sealed class PromptPrefill(Transformer transformer, KeyValueStore store, PromptCache cache, int passRows)
{
    private readonly RowBatch _batch = new();
    private readonly List<PrefixNode> _missing = [];
    private readonly List<(PrefixNode Node, int Row)> _ends = [];
    private readonly List<SlotRange> _context = [];

    /// <summary>Gets the number of tokens computed so far.</summary>
    public long TokenCount { get; private set; }

    /// <summary>Computes some prompts.</summary>
    /// <param name="promptEnds">Where they end; held by the caller, equal ones side by side.</param>
    /// <param name="computed">Receives for each prompt how many tokens were computed for it; what two prompts lack counts for the first.</param>
    /// <param name="cancellationToken">Looked at before every layer.</param>
    public void Compute(ReadOnlySpan<PrefixNode> promptEnds, Span<int> computed, CancellationToken cancellationToken)
    {
        // An earlier call may have been cancelled half-way.
        _batch.Clear();
        _ends.Clear();
        for (int i = 0; i < promptEnds.Length; i++)
        {
            _missing.Clear();
            for (PrefixNode? node = promptEnds[i]; node is { Slots.Count: 0 }; node = node.Parent)
            {
                _missing.Add(node);
                cache.Place(node);
                computed[i] += node.Tokens.Length;
            }

            for (int above = _missing.Count - 1; above >= 0; above--)
            {
                Add(_missing[above], cancellationToken);
            }

            // Known as a part of other sequences only: its last token is read again for the row that predicts the next.
            if (promptEnds[i] is { IsComputed: true, LastHidden: null } end && (i == 0 || promptEnds[i - 1] != end))
            {
                computed[i]++;
                AddLastToken(end, cancellationToken);
            }
        }

        Flush(cancellationToken);
    }

    private void Add(PrefixNode node, CancellationToken cancellationToken)
    {
        _context.Clear();
        node.Parent?.AddPathTo(_context);
        ReadOnlySpan<int> tokens = node.Tokens;
        foreach (SlotRange run in node.Slots)
        {
            for (int done = 0; done < run.Count;)
            {
                FlushIfFull(cancellationToken);
                SlotRange slots = new(run.Start + done, Math.Min(run.Count - done, passRows - _batch.RowCount));
                _batch.AddSegment(tokens[..slots.Count], slots.Start, CollectionsMarshal.AsSpan(_context));
                _context.Join(slots);
                tokens = tokens[slots.Count..];
                done += slots.Count;
            }
        }

        _ends.Add((node, _batch.RowCount - 1));
    }

    // Its key and value are written over by the same bits.
    private void AddLastToken(PrefixNode node, CancellationToken cancellationToken)
    {
        _context.Clear();
        node.AddPathTo(_context);
        int slot = _context[^1].Start + _context[^1].Count - 1;
        _context.CutEnd(1);
        FlushIfFull(cancellationToken);
        _batch.AddSegment(node.Tokens[^1..], slot, CollectionsMarshal.AsSpan(_context));
        _ends.Add((node, _batch.RowCount - 1));
    }

    private void FlushIfFull(CancellationToken cancellationToken)
    {
        if (_batch.RowCount == passRows)
        {
            Flush(cancellationToken);
        }
    }

    private void Flush(CancellationToken cancellationToken)
    {
        if (_batch.RowCount == 0)
        {
            return;
        }

        store.EnsureSlots(cache.Slots.Limit);
        Matrix hidden = transformer.Forward(_batch, store, tape: null, cancellationToken);
        TokenCount += _batch.RowCount;
        foreach ((PrefixNode node, int row) in _ends)
        {
            node.IsComputed = true;
            node.LastHidden = node.EndsPrompt ? hidden.Row(row).ToArray() : null;
        }

        _ends.Clear();
        _batch.Clear();
    }
}
