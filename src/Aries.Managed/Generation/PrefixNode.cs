namespace Aries.Managed;

/// <summary>A run of tokens that every sequence below it shares: a node of a <see cref="PrefixTree"/>.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class PrefixNode
{
    private readonly List<SlotRange> _slots = [];

    internal PrefixNode(PrefixNode? parent, ReadOnlyMemory<int> tokens)
    {
        (Parent, Start, Memory) = (parent, parent?.End ?? 0, tokens);
        IdleEntry = new LinkedListNode<PrefixNode>(this);
    }

    /// <summary>Gets the position of the first token.</summary>
    public int Start { get; private set; }

    /// <summary>Gets the position after the last token.</summary>
    public int End => Start + Memory.Length;

    public PrefixNode? Parent { get; private set; }

    public ReadOnlySpan<int> Tokens => Memory.Span;

    /// <summary>Gets where the keys and values lie, in the order of the tokens; empty until <see cref="PromptCache"/> or a scorer has given them a place.</summary>
    public IReadOnlyList<SlotRange> Slots => _slots;

    /// <summary>Gets or sets whether the keys and values are in their place.</summary>
    public bool IsComputed { get; set; }

    /// <summary>Gets or sets whether a prompt ends here, so that the last hidden row is kept.</summary>
    public bool EndsPrompt { get; set; }

    /// <summary>Gets or sets the hidden row that predicts the token after the last one, where a prompt ends here. Shape [H].</summary>
    public float[]? LastHidden { get; set; }

    /// <summary>Gets or sets how many sequences that are being decoded, or wait for it, go through the node.</summary>
    public int UserCount { get; set; }

    /// <summary>Gets the node's place among those that nobody uses.</summary>
    public LinkedListNode<PrefixNode> IdleEntry { get; }

    internal ReadOnlyMemory<int> Memory { get; private set; }

    /// <summary>Appends the slots from the beginning of the sequence to the end of this node, neighbouring runs joined.</summary>
    public void AddPathTo(List<SlotRange> context)
    {
        Parent?.AddPathTo(context);
        foreach (SlotRange run in _slots)
        {
            context.Join(run);
        }
    }

    /// <summary>Gives the next tokens of the node their slots.</summary>
    public void AddSlots(SlotRange run) => _slots.Join(run);

    /// <summary>Forgets keys, values and hidden row; the caller gives the slots back.</summary>
    public void Forget()
    {
        _slots.Clear();
        (IsComputed, LastHidden) = (false, null);
    }

    /// <summary>Cuts the node in two; this one keeps the lower part.</summary>
    /// <param name="length">The tokens of the upper part.</param>
    /// <returns>The upper part.</returns>
    internal PrefixNode SplitAt(int length)
    {
        PrefixNode upper = new(Parent, Memory[..length]) { UserCount = UserCount, IsComputed = IsComputed };
        (Parent, Start, Memory) = (upper, upper.End, Memory[length..]);
        _slots.MoveTo(upper._slots, Math.Min(length, _slots.SlotCount()));

        // As recently used as the lower part, and dropped after it.
        IdleEntry.List?.AddAfter(IdleEntry, upper.IdleEntry);
        return upper;
    }
}
