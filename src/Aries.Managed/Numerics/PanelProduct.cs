using System.Runtime.CompilerServices;

namespace Aries.Managed;

/// <summary>The product of a block of rows and one panel, tile by tile down the rows; the panel stays in the first cache meanwhile.</summary>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static unsafe class PanelProduct<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Gets the columns of a wide panel; a narrow one has half of them.</summary>
    public static int Columns => 2 * TSimd.Width;

    /// <summary>Gets the size of the memory that <see cref="Multiply"/> needs for a panel that is not full.</summary>
    public static int EdgeLength => TileOfHeight<TSimd, TVector>.MostRows * Columns;

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
                TileOfHeight<TSimd, TVector>.Multiply<NarrowTile>(count, depth, aTile, a.Place, a.Step, b.Start, b.Step, target, targetRow, accumulate && full);
            }
            else
            {
                TileOfHeight<TSimd, TVector>.Multiply<WideTile>(count, depth, aTile, a.Place, a.Step, b.Start, b.Step, target, targetRow, accumulate && full);
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
        int most = (narrow ? 2 : 1) * TileOfHeight<TSimd, TVector>.MostRows;
        return (rows + most - 1) / most;
    }
}
