namespace Aries;

/// <summary>The merges of byte-pair encoding: which two neighbours become one symbol, and which pair goes first.</summary>
/// <remarks>Sennrich et al. 2016, <see href="https://arxiv.org/abs/1508.07909"/>: while any neighbours have a merge, the one of lowest rank is applied, the leftmost first.</remarks>
internal sealed class MergeTable
{
    // Below this length a scan for the best pair is faster than a queue, which pays off on whole texts.
    private const int ScanLength = 32;

    private readonly Dictionary<long, (int Rank, int Id)> _merges;

    public MergeTable(int capacity) => _merges = new Dictionary<long, (int Rank, int Id)>(capacity);

    /// <summary>Adds a merge; a later one of the same pair replaces an earlier one. Merges of equal rank are applied from the left.</summary>
    public void Add(int left, int right, int rank, int merged) => _merges[Key(left, right)] = (rank, merged);

    /// <summary>Applies the merges to symbols in place, and shortens the list to what is left.</summary>
    public void Apply(List<int> symbols)
    {
        if (symbols.Count <= ScanLength)
        {
            ApplyByScan(symbols);
        }
        else
        {
            ApplyByQueue(symbols);
        }
    }

    internal void ApplyByScan(List<int> symbols)
    {
        while (true)
        {
            int best = -1;
            (int Rank, int Id) merge = (int.MaxValue, 0);
            for (int index = 0; index + 1 < symbols.Count; index++)
            {
                if (_merges.TryGetValue(Key(symbols[index], symbols[index + 1]), out (int Rank, int Id) found) && (best < 0 || found.Rank < merge.Rank))
                {
                    (best, merge) = (index, found);
                }
            }

            if (best < 0)
            {
                return;
            }

            symbols[best] = merge.Id;
            symbols.RemoveAt(best + 1);
        }
    }

    internal void ApplyByQueue(List<int> symbols)
    {
        int count = symbols.Count;
        int[] next = new int[count];
        int[] previous = new int[count];
        PriorityQueue<(int Position, int Left, int Right), long> queue = new(count);
        void Offer(int position)
        {
            int follower = position < 0 ? count : next[position];
            if (follower < count && _merges.TryGetValue(Key(symbols[position], symbols[follower]), out (int Rank, int Id) merge))
            {
                queue.Enqueue((position, symbols[position], symbols[follower]), ((long)merge.Rank << 32) | (uint)position);
            }
        }

        for (int index = 0; index < count; index++)
        {
            (next[index], previous[index]) = (index + 1, index - 1);
        }

        for (int index = 0; index < count; index++)
        {
            Offer(index);
        }

        const int Gone = -1;
        while (queue.TryDequeue(out (int Position, int Left, int Right) entry, out _))
        {
            int position = entry.Position;
            int follower = symbols[position] == entry.Left ? next[position] : count;
            if (follower >= count || symbols[follower] != entry.Right)
            {
                // One of the two has been merged since.
                continue;
            }

            symbols[position] = _merges[Key(entry.Left, entry.Right)].Id;
            symbols[follower] = Gone;
            next[position] = next[follower];
            if (next[position] < count)
            {
                previous[next[position]] = position;
            }

            Offer(previous[position]);
            Offer(position);
        }

        symbols.RemoveAll(symbol => symbol == Gone);
    }

    private static long Key(int left, int right) => ((long)left << 32) | (uint)right;
}
