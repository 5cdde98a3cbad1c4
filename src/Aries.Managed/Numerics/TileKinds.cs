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

/// <summary>How the rows of a tile's first factor lie, known when the tile is compiled.</summary>
internal interface IRowLayout
{
    /// <summary>Gets whether values of neighbouring rows are neighbours.</summary>
    static abstract bool IsSideBySide { get; }
}

/// <summary>Any distance apart.</summary>
internal readonly struct RowsApart : IRowLayout
{
    public static bool IsSideBySide => false;
}

/// <summary>Side by side: one pointer reaches all of them, and a step takes a seventh fewer instructions.</summary>
internal readonly struct RowsSideBySide : IRowLayout
{
    public static bool IsSideBySide => true;
}
