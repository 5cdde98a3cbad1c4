using System.Runtime.CompilerServices;

namespace Aries.Managed;

/// <summary>The product of a block of rows and one panel, tile by tile down the rows; the panel stays in the first cache meanwhile.</summary>
/// <remarks>
/// <para>
/// A tile's part of the result is needed when its sums are done, and is asked for before they begin: 24 lines that come one after the other from the third cache
/// would take a tenth of the tile's time.
/// </para>
/// <para>
/// What is read next is asked for while the tiles compute, a line a step, so that the memory answers evenly and nobody waits for it.
/// </para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static unsafe class PanelProduct<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Fewer steps take no longer than to ask for the result's lines.
    private const int DepthWorthAsking = 16;

    /// <summary>Gets the columns of a wide panel; a narrow one has half of them.</summary>
    public static int Columns => ProductTile<TSimd, TVector>.Columns;

    /// <summary>Gets the size of the memory that <see cref="Multiply"/> needs for a panel that is not full.</summary>
    /// <param name="rows">The number of rows.</param>
    public static int EdgeLength(int rows) => rows * Columns;

    /// <summary>Computes c = a·b or adds it, for one panel.</summary>
    /// <param name="a">The rows.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="depth">The number of steps over k.</param>
    /// <param name="b">The panel, whose rows are full.</param>
    /// <param name="width">Its columns that belong to the result.</param>
    /// <param name="c">c[0, 0].</param>
    /// <param name="cRow">The distance between c's rows, in values.</param>
    /// <param name="accumulate">Whether the sums are added to what c holds.</param>
    /// <param name="edge">Memory of <see cref="EdgeLength"/> values.</param>
    /// <param name="ahead">What is read next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(
        Factor a, int rows, int depth, Factor b, int width, float* c, nint cRow, bool accumulate, float* edge, LinesAhead ahead)
    {
        if (width == TSimd.Width)
        {
            Tiles<NarrowTile>(rows, depth, a, b.Start, b.Step, c, cRow, accumulate, default);
        }
        else if (width == Columns)
        {
            Tiles<WideTile>(rows, depth, a, b.Start, b.Step, c, cRow, accumulate, ahead);
        }
        else
        {
            int full = width < TSimd.Width ? TSimd.Width : Columns;
            if (full == Columns)
            {
                Tiles<WideTile>(rows, depth, a, b.Start, b.Step, edge, full, accumulate: false, ahead);
            }
            else
            {
                Tiles<NarrowTile>(rows, depth, a, b.Start, b.Step, edge, full, accumulate: false, default);
            }

            CopyEdge(edge, full, rows, width, c, cRow, accumulate);
        }
    }

    // For the full columns of a tile.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tiles<TTile>(int rows, nint depth, Factor a, float* b, nint bStep, float* c, nint cRow, bool accumulate, LinesAhead ahead)
        where TTile : struct, ITileKind
    {
        // Tiles of nearly one height: a last tile of a single row would wait for its own sums.
        int tiles = a.TilePlaces > 0 ? (rows + a.TilePlaces - 1) / a.TilePlaces : TileCount<TTile>(rows);
        (int height, int taller) = (rows / tiles, rows % tiles);
        int row = 0;
        for (int tile = 0; tile < tiles; tile++)
        {
            int count = a.TilePlaces > 0 ? Math.Min(a.TilePlaces, rows - row) : tile < taller ? height + 1 : height;
            float* aTile = a.Start + (a.TilePlaces > 0 ? tile * a.Tile : row * a.Place);
            if (depth >= DepthWorthAsking)
            {
                AskFor<TTile>(c, cRow, count);
            }

            if (tile >= ahead.Tiles)
            {
                TileOfHeight<TSimd, TVector>.Multiply<TTile, ReadsNothingAhead>(count, depth, aTile, a.Place, a.Step, b, bStep, c, cRow, accumulate, null, 0);
            }
            else if (tiles == 1 && ahead.Tiles > 1)
            {
                TileOfHeight<TSimd, TVector>.Multiply<TTile, ReadsTwoLinesAhead>(count, depth, aTile, a.Place, a.Step, b, bStep, c, cRow, accumulate, ahead.Start(0), ahead.Step);
            }
            else
            {
                TileOfHeight<TSimd, TVector>.Multiply<TTile, ReadsLineAhead>(count, depth, aTile, a.Place, a.Step, b, bStep, c, cRow, accumulate, ahead.Start(tile), ahead.Step);
            }

            row += count;
            c += count * cRow;
        }
    }

    /// <summary>Copies or adds the columns of a panel that is not full to where they belong.</summary>
    /// <param name="edge">The panel's product.</param>
    /// <param name="edgeRow">The distance between its rows, in values.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="width">The columns that belong to the result.</param>
    /// <param name="c">c[0, 0].</param>
    /// <param name="cRow">The distance between c's rows, in values.</param>
    /// <param name="accumulate">Whether to add.</param>
    public static void CopyEdge(float* edge, nint edgeRow, int rows, int width, float* c, nint cRow, bool accumulate)
    {
        if (accumulate)
        {
            Packing<TSimd, TVector>.Add(edge, edgeRow, rows, width, c, cRow);
        }
        else
        {
            Packing<TSimd, TVector>.Copy(edge, edgeRow, rows, width, c, cRow);
        }
    }

    /// <summary>Gets how many tiles a panel's rows are computed in.</summary>
    public static int TileCount<TTile>(int rows)
        where TTile : struct, ITileKind
    {
        int most = (TTile.IsNarrow ? 2 : 1) * TileOfHeight<TSimd, TVector>.MostRows;
        return (rows + most - 1) / most;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AskFor<TTile>(float* c, nint cRow, int rows)
        where TTile : struct, ITileKind
    {
        int last = ((TTile.IsNarrow ? TSimd.Width : Columns) - 1) * sizeof(float);
        for (int row = 0; row < rows; row++)
        {
            byte* line = (byte*)(c + (row * cRow));
            for (int offset = 0; offset < last; offset += CacheLine.Bytes)
            {
                CacheLine.Request(line + offset);
            }

            CacheLine.Request(line + last);
        }
    }
}
