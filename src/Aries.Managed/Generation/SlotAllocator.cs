namespace Aries.Managed;

/// <summary>Hands out runs of consecutive slots of a <see cref="KeyValueStore"/> and takes them back.</summary>
/// <remarks>First fit, lowest slot first; neighbouring free runs are joined. The store grows only when no free run is long enough.</remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class SlotAllocator
{
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
        InUse += count;
        for (int i = 0; i < _free.Count; i++)
        {
            SlotRange run = _free[i];
            if (run.Count >= count)
            {
                if (run.Count == count)
                {
                    _free.RemoveAt(i);
                }
                else
                {
                    _free[i] = new SlotRange(run.Start + count, run.Count - count);
                }

                return new SlotRange(run.Start, count);
            }
        }

        // A free run at the end is extended instead of left behind.
        int start = Limit;
        if (_free.Count > 0 && _free[^1].Start + _free[^1].Count == Limit)
        {
            start = _free[^1].Start;
            _free.RemoveAt(_free.Count - 1);
        }

        Limit = checked(start + count);
        return new SlotRange(start, count);
    }

    /// <summary>Gives a run back.</summary>
    /// <param name="run">A run that <see cref="Take"/> gave, whole or cut at its end by <see cref="Take"/>'s caller.</param>
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

    /// <summary>Gives every run back.</summary>
    public void Reset()
    {
        _free.Clear();
        (Limit, InUse) = (0, 0);
    }
}
