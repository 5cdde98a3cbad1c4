namespace Aries.Managed;

/// <summary>A path-compressed trie over token sequences: what several share from their beginning is there once.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class PrefixTree
{
    private readonly Dictionary<(PrefixNode? Parent, int FirstToken), PrefixNode> _nodes = [];

    /// <summary>Gets the number of nodes.</summary>
    public int NodeCount => _nodes.Count;

    /// <summary>Adds a sequence, cutting nodes where it leaves them.</summary>
    /// <param name="start">The node that the sequence goes on from; null for one that begins anew.</param>
    /// <param name="tokens">The tokens, at least one; kept, not copied.</param>
    /// <returns>The node that ends with the last token. Later cuts leave it the end of the same sequence.</returns>
    public PrefixNode Add(PrefixNode? start, ReadOnlyMemory<int> tokens)
    {
        PrefixNode? node = start;
        while (!tokens.IsEmpty)
        {
            (PrefixNode?, int) key = (node, tokens.Span[0]);
            if (!_nodes.TryGetValue(key, out PrefixNode? child))
            {
                child = new PrefixNode(node, tokens);
                _nodes.Add(key, child);
                return child;
            }

            int shared = child.Tokens.CommonPrefixLength(tokens.Span);
            if (shared < child.Tokens.Length)
            {
                PrefixNode upper = child.SplitAt(shared);
                _nodes[key] = upper;
                _nodes.Add((upper, child.Tokens[0]), child);
                child = upper;
            }

            (node, tokens) = (child, tokens[shared..]);
        }

        return node ?? throw new ArgumentException("A sequence has at least one token.", nameof(tokens));
    }

    /// <summary>Removes a node that has none below it.</summary>
    public void Remove(PrefixNode node) => _nodes.Remove((node.Parent, node.Tokens[0]));

    public void Clear() => _nodes.Clear();
}
