using System.Runtime.CompilerServices;
using static Aries.Managed.RowCounts;

namespace Aries.Managed;

/// <summary>The product of a block of rows and one panel, tile by tile down the rows; the panel stays in the first cache meanwhile.</summary>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static unsafe class PanelProduct<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Gets the columns of a wide panel; a narrow one has half of them.</summary>
    public static int Columns => 2 * TSimd.Width;

    /// <summary>Gets the most rows of a wide tile; a narrow one has twice as many.</summary>
    public static int TileRows => TSimd.Width == 16 || System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported ? 12 : 6;

    /// <summary>Gets the size of the memory that <see cref="Multiply"/> needs for a panel that is not full.</summary>
    public static int EdgeLength => TileRows * Columns;

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
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(
        Factor a, int rows, int depth, Factor b, int width, float* c, nint cRow, bool accumulate, float* edge)
    {
        bool narrow = width <= TSimd.Width;
        bool full = narrow ? width == TSimd.Width : width == Columns;
        float* target = full ? c : edge;
        nint targetRow = full ? cRow : narrow ? TSimd.Width : Columns;

        // Tiles of nearly one height: a last tile of a single row would wait for its own sums.
        int tiles = TileCount(rows, narrow);
        (int height, int taller) = (rows / tiles, rows % tiles);
        float* aTile = a.Start;
        for (int tile = 0; tile < tiles; tile++)
        {
            int count = tile < taller ? height + 1 : height;
            if (narrow)
            {
                Tile<NarrowTile>(count, depth, aTile, a.Place, a.Step, b.Start, b.Step, target, targetRow, accumulate && full);
            }
            else
            {
                Tile<WideTile>(count, depth, aTile, a.Place, a.Step, b.Start, b.Step, target, targetRow, accumulate && full);
            }

            aTile += count * a.Place;
            c += count * cRow;
            if (full)
            {
                target = c;
            }
            else if (accumulate)
            {
                Packing<TSimd, TVector>.Add(edge, targetRow, count, width, c - (count * cRow), cRow);
            }
            else
            {
                Packing<TSimd, TVector>.Copy(edge, targetRow, count, width, c - (count * cRow), cRow);
            }
        }
    }

    /// <summary>Gets how many tiles a panel's rows are computed in.</summary>
    public static int TileCount(int rows, bool narrow)
    {
        int most = narrow ? 2 * TileRows : TileRows;
        return (rows + most - 1) / most;
    }

    private static void Tile<TTile>(
        int height, nint depth, float* a, nint aRow, nint aStep, float* b, nint bStep, float* c, nint cRow, bool accumulate)
        where TTile : struct, ITileKind
    {
        int rows = TTile.IsNarrow ? (height + 1) / 2 : height;
        int lower = height - rows;
        switch (rows)
        {
            case 1: ProductTile<TSimd, TVector>.Multiply<Rows1, TTile>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate); break;
            case 2: ProductTile<TSimd, TVector>.Multiply<Rows2, TTile>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate); break;
            case 3: ProductTile<TSimd, TVector>.Multiply<Rows3, TTile>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate); break;
            case 4: ProductTile<TSimd, TVector>.Multiply<Rows4, TTile>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate); break;
            case 5: ProductTile<TSimd, TVector>.Multiply<Rows5, TTile>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate); break;
            case 6: ProductTile<TSimd, TVector>.Multiply<Rows6, TTile>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate); break;
            case 7: ProductTile<TSimd, TVector>.Multiply<Rows7, TTile>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate); break;
            case 8: ProductTile<TSimd, TVector>.Multiply<Rows8, TTile>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate); break;
            case 9: ProductTile<TSimd, TVector>.Multiply<Rows9, TTile>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate); break;
            case 10: ProductTile<TSimd, TVector>.Multiply<Rows10, TTile>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate); break;
            case 11: ProductTile<TSimd, TVector>.Multiply<Rows11, TTile>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate); break;
            default: ProductTile<TSimd, TVector>.Multiply<Rows12, TTile>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate); break;
        }
    }
}
