using System.Runtime.InteropServices;

namespace Aries.Managed;

/// <summary>Computes log π(token | tokens before) of the response tokens of given sequences; what sequences share from their beginning is computed once.</summary>
/// <remarks>
/// The rows go through the network some at a time, and the head sees only rows that predict a response token, so neither the activations of all rows nor
/// [tokens, vocabulary] is ever held.
/// </remarks>
/// <threadsafety>Not thread-safe: it keeps its buffers.</threadsafety>
internal sealed class ResponseScorer
{
    // Keys and values are kept for the sequences of a group: this many tokens, or one sequence.
    private const int GroupTokens = 16384;

    private readonly Transformer _transformer;
    private readonly OutputHead _head;
    private readonly KeyValueStore _store;
    private readonly int _passRows;
    private readonly RowBatch _batch = new();
    private readonly List<SlotRange> _context = [];
    private readonly List<ScoredItem> _items = [];
    private readonly List<Entry> _targets = [];
    private double[] _values = [];
    private int _slotCount;

    /// <summary>Creates a scorer.</summary>
    /// <param name="transformer">The network; used by this scorer alone while a call lasts.</param>
    /// <param name="passRows">How many tokens a pass computes at most.</param>
    public ResponseScorer(Transformer transformer, int passRows)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(passRows, 1);
        (_transformer, _passRows) = (transformer, passRows);
        _head = new OutputHead(transformer.Weights, transformer.Pool);
        _store = new KeyValueStore(transformer.Config);
    }

    /// <summary>Scores some sequences.</summary>
    /// <param name="sequences">Tokens, and the index of the first response token: at least 1, below the number of tokens.</param>
    /// <param name="cancellationToken">Looked at before every layer.</param>
    /// <returns>For each sequence the log-probability of each response token, in nats.</returns>
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public float[][] Score(IReadOnlyList<(int[] Tokens, int ResponseStart)> sequences, CancellationToken cancellationToken)
    {
        float[][] results = [.. sequences.Select(sequence => new float[sequence.Tokens.Length - sequence.ResponseStart])];
        int[] order = [.. Enumerable.Range(0, sequences.Count)];
        order.AsSpan().Sort((left, right) =>
        {
            int comparison = sequences[left].Tokens.AsSpan().SequenceCompareTo(sequences[right].Tokens);
            return comparison != 0 ? comparison : left.CompareTo(right);
        });

        for (int start = 0; start < order.Length;)
        {
            int end = start;
            for (int tokens = 0; end < order.Length && (end == start || tokens + sequences[order[end]].Tokens.Length <= GroupTokens); end++)
            {
                tokens += sequences[order[end]].Tokens.Length;
            }

            ScoreGroup(sequences, order[start..end], results, cancellationToken);
            start = end;
        }

        return results;
    }

    private void ScoreGroup(IReadOnlyList<(int[] Tokens, int ResponseStart)> sequences, int[] group, float[][] results, CancellationToken cancellationToken)
    {
        // The last token predicts nothing and gets no row.
        PrefixTree tree = new();
        PrefixNode[] ends = [.. group.Select(index => tree.Add(null, sequences[index].Tokens.AsMemory()[..^1]))];
        Dictionary<PrefixNode, List<Entry>> entries = [];
        for (int i = 0; i < group.Length; i++)
        {
            (int[] tokens, int responseStart) = sequences[group[i]];
            for (PrefixNode? node = ends[i]; node is not null && node.End >= responseStart; node = node.Parent)
            {
                ref List<Entry>? list = ref CollectionsMarshal.GetValueRefOrAddDefault(entries, node, out _);
                list ??= [];
                for (int position = Math.Max(node.Start, responseStart - 1); position < node.End; position++)
                {
                    list.Add(new Entry(position - node.Start, tokens[position + 1], results[group[i]], position + 1 - responseStart));
                }
            }
        }

        // An earlier call may have been cancelled half-way.
        Clear();
        _slotCount = 0;
        foreach (PrefixNode end in ends)
        {
            AddPath(end, entries, cancellationToken);
        }

        Flush(cancellationToken);
    }

    // Parents first. A node that lies on an earlier path has its slots already.
    private void AddPath(PrefixNode node, Dictionary<PrefixNode, List<Entry>> entries, CancellationToken cancellationToken)
    {
        Stack<PrefixNode> missing = new();
        for (PrefixNode? above = node; above is { Slots.Count: 0 }; above = above.Parent)
        {
            missing.Push(above);
        }

        while (missing.TryPop(out PrefixNode? next))
        {
            next.AddSlots(new SlotRange(_slotCount, next.Tokens.Length));
            _slotCount += next.Tokens.Length;
            List<Entry> targets = entries.GetValueOrDefault(next) ?? [];
            targets.Sort(static (left, right) => left.Offset.CompareTo(right.Offset));
            AddNode(next, targets, cancellationToken);
        }
    }

    private void AddNode(PrefixNode node, List<Entry> targets, CancellationToken cancellationToken)
    {
        _context.Clear();
        node.Parent?.AddPathTo(_context);
        ReadOnlySpan<int> tokens = node.Tokens;
        int slot = node.Slots[0].Start;
        int target = 0;
        for (int done = 0; done < tokens.Length;)
        {
            if (_batch.RowCount == _passRows)
            {
                Flush(cancellationToken);
            }

            int count = Math.Min(tokens.Length - done, _passRows - _batch.RowCount);
            int row = _batch.AddSegment(tokens.Slice(done, count), slot + done, CollectionsMarshal.AsSpan(_context));
            _context.Join(new SlotRange(slot + done, count));
            for (; target < targets.Count && targets[target].Offset < done + count; target++)
            {
                _items.Add(new ScoredItem(row + targets[target].Offset - done, targets[target].Token));
                _targets.Add(targets[target]);
            }

            done += count;
        }
    }

    private void Flush(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_batch.RowCount > 0)
        {
            _store.EnsureSlots(_slotCount);
            Matrix hidden = _transformer.Forward(_batch, _store, tape: null, cancellationToken);
            if (_values.Length < _items.Count)
            {
                _values = new double[_items.Count];
            }

            ScoreItems(hidden);
            for (int i = 0; i < _targets.Count; i++)
            {
                // Rounding may leave a certain token a hair above 0.
                _targets[i].Result[_targets[i].Index] = Math.Min(0, (float)_values[i]);
            }
        }

        Clear();
    }

    private void ScoreItems(Matrix hidden)
    {
        try
        {
            _head.LogProbabilities(hidden, CollectionsMarshal.AsSpan(_items), _values.AsSpan(0, _items.Count), forBackward: false);
        }
        catch (NotFiniteNumberException exception)
        {
            throw new NonFiniteLogitsException(exception);
        }
    }

    private void Clear()
    {
        _batch.Clear();
        _items.Clear();
        _targets.Clear();
    }

    // A token to score: its predicting row's offset in its node, its id, and where its value goes.
    private readonly record struct Entry(int Offset, int Token, float[] Result, int Index);
}
