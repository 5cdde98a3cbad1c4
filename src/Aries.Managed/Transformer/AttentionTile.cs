namespace Aries.Managed;

/// <summary>Which of a tile's keys the queries of a block see.</summary>
/// <param name="Start">The position of the tile's first key in the sequence; a multiple of the tile's size.</param>
/// <param name="Count">The number of keys; 1 or more.</param>
/// <param name="FirstPosition">The position of the block's first row.</param>
/// <param name="Group">The queries of a row; the queries of one row lie together.</param>
/// <param name="QueryCount">The number of queries.</param>
internal readonly record struct AttentionTile(int Start, int Count, int FirstPosition, int Group, int QueryCount)
{
    /// <summary>Gets the first query that sees any of the keys.</summary>
    public int FirstQuery => FirstQueryOf(0);

    /// <summary>Returns the first query that sees a key and all keys before it.</summary>
    public int FirstQueryOf(int key) => Math.Max(0, Start + key - FirstPosition) * Group;

    /// <summary>Returns how many of the keys a query sees: 0 or less if none. A query past the last counts as of the row that it would have.</summary>
    public int KeysOf(int query) => Math.Min(Count, FirstPosition + (query / Group) + 1 - Start);
}
