using System.Runtime.InteropServices;

namespace Aries;

/// <summary>The distinct token ids that a prompt and its response hold so far: what the repetition penalty applies to.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class SeenTokens
{
    private readonly HashSet<int> _set = [];
    private readonly List<int> _ids = [];

    /// <summary>Gets the ids, each once, in the order of their first appearance.</summary>
    public ReadOnlySpan<int> Ids => CollectionsMarshal.AsSpan(_ids);

    public void Clear()
    {
        _set.Clear();
        _ids.Clear();
    }

    public void Add(int id)
    {
        if (_set.Add(id))
        {
            _ids.Add(id);
        }
    }

    public void AddRange(ReadOnlySpan<int> ids)
    {
        foreach (int id in ids)
        {
            Add(id);
        }
    }
}
