namespace Aries.Managed;

/// <summary>How a tile's registers are laid out, known when the tile is compiled.</summary>
internal interface ITileKind
{
    /// <summary>Gets whether the tile is one vector wide and of two halves of rows, or two vectors wide.</summary>
    static abstract bool IsNarrow { get; }
}

/// <summary>Up to 12 rows by two vectors.</summary>
internal readonly struct WideTile : ITileKind
{
    public static bool IsNarrow => false;
}

/// <summary>Up to 24 rows by one vector.</summary>
internal readonly struct NarrowTile : ITileKind
{
    public static bool IsNarrow => true;
}
