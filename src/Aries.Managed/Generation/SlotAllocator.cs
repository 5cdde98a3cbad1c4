namespace Aries.Managed;

/// <summary>Hands out runs of consecutive slots of a <see cref="KeyValueStore"/> and takes them back.</summary>
/// <remarks>First fit, lowest slot first; neighbouring free runs are joined. <see cref="Take"/> lets the store grow only when no free run is long enough.</remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class SlotAllocator
{
    // A tile of keys: attention copies the keys of shorter pieces before it multiplies them.
    private const int ShortestPiece = 64;

    private readonly List<SlotRange> _free = [];

    /// <summary>Gets one more than the highest slot that was ever handed out.</summary>
    public int Limit { get; private set; }

    /// <summary>Gets the number of slots that are handed out now.</summary>
    public int InUse { get; private set; }

    /// <summary>Takes a run of slots.</summary>
    /// <param name="count">How many; 1 or more.</param>
    public SlotRange Take(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        for (int i = 0; i < _free.Count; i++)
        {
            if (_free[i].Count >= count)
            {
                return TakeFrom(i, count);
            }
        }

        return TakeAtEnd(count);
    }

    /// <summary>Takes a run of slots, or a shorter one where that saves the store from growing.</summary>
    /// <param name="count">How many at most; 1 or more.</param>
    public SlotRange TakeUpTo(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        int longest = -1;
        for (int i = 0; i < _free.Count; i++)
        {
            if (_free[i].Count >= count)
            {
                return TakeFrom(i, count);
            }

            if (longest < 0 || _free[i].Count > _free[longest].Count)
            {
                longest = i;
            }
        }

        return longest >= 0 && _free[longest].Count >= ShortestPiece ? TakeFrom(longest, _free[longest].Count) : TakeAtEnd(count);
    }

    /// <summary>Gives a run back.</summary>
    /// <param name="run">A run that <see cref="Take"/> gave, or a part of one.</param>
    public void Return(SlotRange run)
    {
        InUse -= run.Count;
        int at = 0;
        while (at < _free.Count && _free[at].Start < run.Start)
        {
            at++;
        }

        if (at < _free.Count && run.Start + run.Count == _free[at].Start)
        {
            run = run with { Count = run.Count + _free[at].Count };
            _free.RemoveAt(at);
        }

        if (at > 0 && _free[at - 1].Start + _free[at - 1].Count == run.Start)
        {
            run = new SlotRange(_free[at - 1].Start, _free[at - 1].Count + run.Count);
            _free.RemoveAt(--at);
        }

        _free.Insert(at, run);
    }

    private SlotRange TakeFrom(int index, int count)
    {
        SlotRange run = _free[index];
        if (run.Count == count)
        {
            _free.RemoveAt(index);
        }
        else
        {
            _free[index] = new SlotRange(run.Start + count, run.Count - count);
        }

        InUse += count;
        return new SlotRange(run.Start, count);
    }

    private SlotRange TakeAtEnd(int count)
    {
        // A free run at the end is extended instead of left behind.
        int start = Limit;
        if (_free.Count > 0 && _free[^1].Start + _free[^1].Count == Limit)
        {
            start = _free[^1].Start;
            _free.RemoveAt(_free.Count - 1);
        }

        Limit = checked(start + count);
        InUse += count;
        return new SlotRange(start, count);
    }
}
