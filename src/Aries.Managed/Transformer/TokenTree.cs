using System.Runtime.InteropServices;

namespace Aries.Managed;

/// <summary>Token sequences merged where they begin alike, so that a shared prefix is computed once.</summary>
/// <remarks>
/// A path-compressed trie over whole sequences: the two responses of a pair share their prompt, all sequences share the first token, and so on, without being told.
/// The last token of a sequence predicts nothing and gets no row. Several pairs, or a whole micro-batch, make one tree.
/// </remarks>
/// <threadsafety>Not thread-safe. May be cleared and filled again; it allocates only when it grows.</threadsafety>
internal sealed class TokenTree
{
    private const int None = -1;

    private readonly List<int> _tokens = [];
    private readonly List<Sequence> _sequences = [];
    private readonly List<Node> _nodes = [];
    private readonly List<int> _roots = [];
    private readonly List<SlotRange> _context = [];
    private readonly List<ScoredItem> _items = [];
    private long[] _keys = [];
    private int[] _owners = [];
    private int[] _itemOfEntry = [];
    private int _entryCount;

    /// <summary>Gets the (row, target) whose log-probabilities the sequences are sums of, each once, ordered by row. Filled by <see cref="Build"/>.</summary>
    public ReadOnlySpan<ScoredItem> Items => CollectionsMarshal.AsSpan(_items);

    /// <summary>Gets the number of rows: the tokens of all sequences but their last, each shared one counted once.</summary>
    public int RowCount { get; private set; }

    public void Clear()
    {
        RowCount = 0;
        _tokens.Clear();
        _sequences.Clear();
        _nodes.Clear();
        _roots.Clear();
        _items.Clear();
        _entryCount = 0;
    }

    /// <summary>Adds a sequence.</summary>
    /// <param name="tokens">Prompt and response; at least two tokens.</param>
    /// <param name="responseStart">The index of the first token whose log-probability counts; 1 or more, and below the number of tokens.</param>
    /// <returns>The sequence's index, from 0.</returns>
    /// <exception cref="ArgumentException">There is no prompt token or no response token.</exception>
    public int Add(ReadOnlySpan<int> tokens, int responseStart)
    {
        if (responseStart < 1 || responseStart >= tokens.Length)
        {
            throw new ArgumentException($"A sequence of {tokens.Length} tokens cannot have its response at {responseStart}: prompt and response need a token each.", nameof(responseStart));
        }

        int start = _tokens.Count;
        _tokens.AddRange(tokens);
        _sequences.Add(new Sequence(start, tokens.Length, responseStart, Insert(start, tokens.Length - 1)));
        return _sequences.Count - 1;
    }

    /// <summary>Appends the tree's rows to an empty batch, slot = row, parents before children; fills <see cref="Items"/>.</summary>
    public void Build(RowBatch batch)
    {
        batch.Clear();
        Span<Node> nodes = CollectionsMarshal.AsSpan(_nodes);
        foreach (int root in _roots)
        {
            Emit(batch, nodes, root);
        }

        CollectItems(nodes);
    }

    /// <summary>Sums the items' log-probabilities to those of the sequences.</summary>
    /// <param name="itemValues">A value for each of <see cref="Items"/>.</param>
    /// <param name="sequenceSums">Receives each sequence's sum.</param>
    public void Sum(ReadOnlySpan<double> itemValues, Span<double> sequenceSums)
    {
        sequenceSums[.._sequences.Count].Clear();
        for (int entry = 0; entry < _entryCount; entry++)
        {
            sequenceSums[_owners[entry]] += itemValues[_itemOfEntry[entry]];
        }
    }

    /// <summary>The reverse of <see cref="Sum"/>: gives each item the sum of the values of the sequences that count it.</summary>
    public void Distribute(ReadOnlySpan<double> sequenceValues, Span<double> itemSums)
    {
        itemSums[.._items.Count].Clear();
        for (int entry = 0; entry < _entryCount; entry++)
        {
            itemSums[_itemOfEntry[entry]] += sequenceValues[_owners[entry]];
        }
    }

    // Returns the node that ends the sequence's rows.
    private int Insert(int start, int length)
    {
        int parent = None;
        int end = start + length;
        while (true)
        {
            int child = Child(parent, _tokens[start]);
            if (child == None)
            {
                return AddNode(parent, start, end - start);
            }

            int common = CommonLength(_nodes[child], start, end);
            if (common < _nodes[child].Count)
            {
                Split(child, common);
            }

            start += common;
            if (start == end)
            {
                return child;
            }

            parent = child;
        }
    }

    private int Child(int parent, int token)
    {
        if (parent == None)
        {
            foreach (int root in _roots)
            {
                if (_tokens[_nodes[root].Start] == token)
                {
                    return root;
                }
            }

            return None;
        }

        int child = _nodes[parent].FirstChild;
        while (child != None && _tokens[_nodes[child].Start] != token)
        {
            child = _nodes[child].NextSibling;
        }

        return child;
    }

    private int CommonLength(Node node, int start, int end)
    {
        int limit = Math.Min(node.Count, end - start);
        int common = 1;
        while (common < limit && _tokens[node.Start + common] == _tokens[start + common])
        {
            common++;
        }

        return common;
    }

    private int AddNode(int parent, int start, int count)
    {
        RowCount += count;
        int index = _nodes.Count;
        _nodes.Add(new Node { Parent = parent, Start = start, Count = count, FirstChild = None, LastChild = None, NextSibling = None });
        if (parent == None)
        {
            _roots.Add(index);
            return index;
        }

        Span<Node> nodes = CollectionsMarshal.AsSpan(_nodes);
        ref Node above = ref nodes[parent];
        if (above.FirstChild == None)
        {
            above.FirstChild = index;
        }
        else
        {
            nodes[above.LastChild].NextSibling = index;
        }

        above.LastChild = index;
        return index;
    }

    // The node keeps its first tokens; a new child takes the rest, its children, and the sequences that ended in it.
    private void Split(int index, int keep)
    {
        int rest = _nodes.Count;
        Node node = _nodes[index];
        _nodes.Add(node with { Parent = index, Start = node.Start + keep, Count = node.Count - keep, NextSibling = None });
        Span<Node> nodes = CollectionsMarshal.AsSpan(_nodes);
        for (int child = node.FirstChild; child != None; child = nodes[child].NextSibling)
        {
            nodes[child].Parent = rest;
        }

        nodes[index] = node with { Count = keep, FirstChild = rest, LastChild = rest };
        foreach (ref Sequence sequence in CollectionsMarshal.AsSpan(_sequences))
        {
            if (sequence.Node == index)
            {
                sequence.Node = rest;
            }
        }
    }

    private void Emit(RowBatch batch, Span<Node> nodes, int root)
    {
        int index = root;
        while (index != None)
        {
            ref Node node = ref nodes[index];
            GatherContext(nodes, node.Parent);
            node.RowStart = batch.AddSegment(CollectionsMarshal.AsSpan(_tokens).Slice(node.Start, node.Count), batch.RowCount, CollectionsMarshal.AsSpan(_context));
            if (node.FirstChild != None)
            {
                index = node.FirstChild;
                continue;
            }

            while (index != root && nodes[index].NextSibling == None)
            {
                index = nodes[index].Parent;
            }

            index = index == root ? None : nodes[index].NextSibling;
        }
    }

    // The rows of all ancestors, neighbours merged.
    private void GatherContext(Span<Node> nodes, int parent)
    {
        _context.Clear();
        for (int ancestor = parent; ancestor != None; ancestor = nodes[ancestor].Parent)
        {
            SlotRange range = new(nodes[ancestor].RowStart, nodes[ancestor].Count);
            if (_context.Count > 0 && range.Start + range.Count == _context[^1].Start)
            {
                _context[^1] = new SlotRange(range.Start, range.Count + _context[^1].Count);
            }
            else
            {
                _context.Add(range);
            }
        }

        _context.Reverse();
    }

    // An entry is a counted token of a sequence. Sorted by (row, target), equal ones lie together and become one item.
    private void CollectItems(Span<Node> nodes)
    {
        _items.Clear();
        _entryCount = 0;
        foreach (Sequence sequence in _sequences)
        {
            _entryCount += sequence.Length - sequence.ResponseStart;
        }

        if (_keys.Length < _entryCount)
        {
            int length = _entryCount + (_entryCount / 8);
            (_keys, _owners, _itemOfEntry) = (new long[length], new int[length], new int[length]);
        }

        int entry = 0;
        for (int index = 0; index < _sequences.Count; index++)
        {
            entry = AddEntries(nodes, index, entry);
        }

        _keys.AsSpan(0, _entryCount).Sort(_owners.AsSpan(0, _entryCount));
        for (entry = 0; entry < _entryCount; entry++)
        {
            if (entry == 0 || _keys[entry] != _keys[entry - 1])
            {
                _items.Add(new ScoredItem((int)(_keys[entry] >> 32), (int)_keys[entry]));
            }

            _itemOfEntry[entry] = _items.Count - 1;
        }
    }

    private int AddEntries(Span<Node> nodes, int index, int entry)
    {
        Sequence sequence = _sequences[index];
        int node = sequence.Node;
        int nodeEnd = sequence.Length - 1;
        for (int position = sequence.Length - 2; position >= sequence.ResponseStart - 1; position--)
        {
            while (position < nodeEnd - nodes[node].Count)
            {
                nodeEnd -= nodes[node].Count;
                node = nodes[node].Parent;
            }

            int row = nodes[node].RowStart + position - (nodeEnd - nodes[node].Count);
            _keys[entry] = ((long)row << 32) | (uint)_tokens[sequence.Start + position + 1];
            _owners[entry++] = index;
        }

        return entry;
    }

    private record struct Node
    {
        public int Parent;
        public int Start;
        public int Count;
        public int FirstChild;
        public int LastChild;
        public int NextSibling;
        public int RowStart;
    }

    private record struct Sequence(int Start, int Length, int ResponseStart, int Node);
}
