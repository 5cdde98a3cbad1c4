namespace Aries.Managed;

/// <summary>The sequences of a decoding engine as a trie, and the slots of their keys and values: what prompts share is computed once, and stays for later ones.</summary>
/// <remarks>
/// A node that a sequence in decoding goes through stays. Of the others, those used least recently go first when they hold more tokens than the limit;
/// a node is always used later than those below it, so none goes before them.
/// </remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class PromptCache
{
    private readonly PrefixTree _tree = new();
    private readonly LinkedList<PrefixNode> _idle = [];
    private readonly int _idleLimit;

    /// <summary>Creates a cache.</summary>
    /// <param name="idleLimit">How many tokens are kept that no sequence in decoding uses; 0 for none.</param>
    public PromptCache(int idleLimit)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(idleLimit);
        _idleLimit = idleLimit;
    }

    /// <summary>Gets the slots, which the caller also takes the places of responses from.</summary>
    public SlotAllocator Slots { get; } = new();

    /// <summary>Gets the number of tokens that are kept without use.</summary>
    public int IdleTokenCount { get; private set; }

    /// <summary>Adds a prompt, and holds what is there of it until <see cref="Release"/>.</summary>
    /// <returns>The node at which it ends.</returns>
    public PrefixNode Use(int[] prompt)
    {
        PrefixNode end = _tree.Add(null, prompt);
        end.EndsPrompt = true;
        Hold(end, above: null);
        return end;
    }

    /// <summary>Gives a node slots for its keys and values.</summary>
    public void Place(PrefixNode node)
    {
        for (int missing = node.Tokens.Length; missing > 0;)
        {
            SlotRange run = Slots.TakeUpTo(missing);
            node.AddSlots(run);
            missing -= run.Count;
        }
    }

    /// <summary>Takes over the keys and values of tokens that followed a prompt.</summary>
    /// <param name="promptEnd">The node at which the prompt ends; held.</param>
    /// <param name="tokens">The tokens.</param>
    /// <param name="slots">Their slots; empty afterwards.</param>
    /// <returns>The node to release instead of <paramref name="promptEnd"/>.</returns>
    public PrefixNode Extend(PrefixNode promptEnd, ReadOnlySpan<int> tokens, List<SlotRange> slots)
    {
        PrefixNode end = promptEnd;
        if (_idleLimit > 0 && !tokens.IsEmpty)
        {
            end = _tree.Add(promptEnd, tokens.ToArray());
            Hold(end, promptEnd);
            Fill(end, promptEnd, slots);
        }

        slots.ForEach(Slots.Return);
        slots.Clear();
        return end;
    }

    /// <summary>Ends a sequence's use of its nodes. Those that nobody uses and that are not computed go at once.</summary>
    public void Release(PrefixNode end)
    {
        for (PrefixNode? node = end; node is not null; node = node.Parent)
        {
            if (--node.UserCount > 0)
            {
                continue;
            }

            if (node.IsComputed)
            {
                _idle.AddLast(node.IdleEntry);
                IdleTokenCount += node.Tokens.Length;
            }
            else
            {
                Drop(node);
            }
        }

        Shrink(_idleLimit);
    }

    /// <summary>Drops all that nobody uses.</summary>
    public void Clear() => Shrink(0);

    private void Shrink(int limit)
    {
        while (IdleTokenCount > limit)
        {
            PrefixNode oldest = _idle.First!.Value;
            StopIdling(oldest);
            Drop(oldest);
        }
    }

    private void Hold(PrefixNode end, PrefixNode? above)
    {
        for (PrefixNode? node = end; node != above; node = node!.Parent)
        {
            node!.UserCount++;
            if (node.IdleEntry.List is not null)
            {
                StopIdling(node);
            }
        }
    }

    // Parents first, since the slots are in the order of the tokens. What is computed already keeps its own.
    private void Fill(PrefixNode node, PrefixNode promptEnd, List<SlotRange> slots)
    {
        if (node == promptEnd)
        {
            return;
        }

        Fill(node.Parent!, promptEnd, slots);
        List<SlotRange> own = [];
        slots.MoveTo(own, node.Tokens.Length);
        own.ForEach(node.IsComputed ? Slots.Return : node.AddSlots);
        node.IsComputed = true;
    }

    private void StopIdling(PrefixNode node)
    {
        _idle.Remove(node.IdleEntry);
        IdleTokenCount -= node.Tokens.Length;
    }

    private void Drop(PrefixNode node)
    {
        foreach (SlotRange run in node.Slots)
        {
            Slots.Return(run);
        }

        _tree.Remove(node);
    }
}
