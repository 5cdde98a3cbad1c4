namespace Aries.Managed;

/// <summary>The cache lines that the tiles of a panel ask for while they compute, because they are read next.</summary>
/// <param name="start">The first line of the first tile.</param>
/// <param name="step">The distance between two steps' lines, in bytes.</param>
/// <param name="tile">The distance between two tiles' first lines, in bytes.</param>
/// <param name="tiles">How many tiles ask; a single one of a panel asks for the lines of two.</param>
internal readonly unsafe struct LinesAhead(byte* start, nint step, nint tile, int tiles)
{
    public nint Step { get; } = step;

    public int Tiles { get; } = tiles;

    /// <summary>Gets the first line of a tile.</summary>
    public byte* Start(int tileIndex) => start + (tileIndex * tile);
}
