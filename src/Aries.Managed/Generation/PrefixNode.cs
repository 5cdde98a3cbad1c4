namespace Aries.Managed;

/// <summary>A run of tokens that every prompt below it shares: a node of a path-compressed trie over the prompts of a batch.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class PrefixNode
{
    private readonly int[] _prompt;

    private PrefixNode(int[] prompt, int start, int end, PrefixNode? parent)
    {
        _prompt = prompt;
        (Start, End, Parent) = (start, end, parent);
    }

    /// <summary>Gets the position of the first token.</summary>
    public int Start { get; private set; }

    /// <summary>Gets the position after the last token.</summary>
    public int End { get; }

    public PrefixNode? Parent { get; private set; }

    public ReadOnlySpan<int> Tokens => _prompt.AsSpan(Start, End - Start);

    /// <summary>Gets or sets how many sequences still need the node's keys and values.</summary>
    public int UserCount { get; set; }

    /// <summary>Gets or sets whether a prompt ends here, so that the last hidden row is kept.</summary>
    public bool IsEnd { get; private set; }

    /// <summary>Gets or sets where the keys and values lie; null until they are computed and after they are given back.</summary>
    public SlotRange? Slots { get; set; }

    /// <summary>Gets or sets the hidden row that predicts the token after a prompt that ends here. Shape [H].</summary>
    public float[]? LastHidden { get; set; }

    /// <summary>Builds the trie of some prompts.</summary>
    /// <param name="prompts">The prompts; none is empty.</param>
    /// <param name="order">Receives the indices of the prompts in the order in which neighbours share most. Same length as <paramref name="prompts"/>.</param>
    /// <returns>The node at which each prompt ends, in the order of <paramref name="prompts"/>.</returns>
    public static PrefixNode[] Build(IReadOnlyList<int[]> prompts, Span<int> order)
    {
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }

        order.Sort((left, right) =>
        {
            int comparison = prompts[left].AsSpan().SequenceCompareTo(prompts[right]);
            return comparison != 0 ? comparison : left.CompareTo(right);
        });

        PrefixNode[] ends = new PrefixNode[prompts.Count];
        Stack<PrefixNode> path = new();
        int[] previous = [];
        foreach (int index in order)
        {
            int[] prompt = prompts[index];
            int shared = prompt.AsSpan().CommonPrefixLength(previous);
            while (path.Count > 0 && path.Peek().Start >= shared)
            {
                path.Pop();
            }

            if (path.Count > 0 && path.Peek().End > shared)
            {
                path.Push(path.Pop().SplitAt(shared));
            }

            // In sorted order a prompt is no prefix of the one before, unless both are equal.
            if (prompt.Length > shared)
            {
                path.Push(new PrefixNode(prompt, shared, prompt.Length, path.Count > 0 ? path.Peek() : null));
            }

            ends[index] = path.Peek();
            ends[index].IsEnd = true;
            previous = prompt;
        }

        foreach (PrefixNode end in ends)
        {
            for (PrefixNode? node = end; node is not null; node = node.Parent)
            {
                node.UserCount++;
            }
        }

        return ends;
    }

    /// <summary>Cuts the node in two; this one keeps the lower part.</summary>
    /// <returns>The upper part.</returns>
    private PrefixNode SplitAt(int position)
    {
        PrefixNode upper = new(_prompt, Start, position, Parent);
        (Start, Parent) = (position, upper);
        return upper;
    }
}
