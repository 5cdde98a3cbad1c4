namespace Aries.Managed;

/// <summary>Copies a product's first factor once for all threads: a tile's rows side by side in each step, one tile after the other.</summary>
/// <remarks>
/// A tile then reads its rows from one place on, with few instructions a step and nothing to wait for. That takes a copy of every value, which all columns of the
/// result share.
/// </remarks>
/// <threadsafety>Every member may be called concurrently; the copy belongs to the calling thread until its next product.</threadsafety>
internal static unsafe class RowTiles<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Steps that are copied for all tiles of an item before the next ones: their lines stay near.
    private const int StepsAtOnce = 64;

    private const int ItemsPerThread = 4;

    private static int MostRows => TileOfHeight<TSimd, TVector>.MostRows;

    // Whole vectors are copied, so the end of a tile's last step lies in what is left free here.
    private static int Vectors => (MostRows + TSimd.Width - 1) / TSimd.Width;

    /// <summary>Gets the rows of a tile: all but the last have as many.</summary>
    public static int Height(int rows)
    {
        int tiles = PanelProduct<TSimd, TVector>.TileCount<WideTile>(rows);
        return (rows + tiles - 1) / tiles;
    }

    /// <summary>Copies rows.</summary>
    /// <param name="a">The factor. Shape [rows, depth].</param>
    /// <param name="isTransposed">Whether its shape is [depth, rows].</param>
    /// <param name="pool">Shares the work.</param>
    /// <returns>The copy.</returns>
    public static Factor Copy(Matrix a, bool isTransposed, WorkerPool pool)
    {
        (int rows, int depth) = isTransposed ? (a.Columns, a.Rows) : (a.Rows, a.Columns);
        int height = Height(rows);
        int tiles = (rows + height - 1) / height;
        nint tile = ((nint)depth * MostRows) + (Vectors * TSimd.Width);
        Factor target = new(PackingBuffer.TakeForRows(checked((int)(tiles * tile))), 1, MostRows) { TilePlaces = height, Tile = tile };
        int items = pool.ThreadCount == 1 ? 1 : Math.Min(tiles, ItemsPerThread * pool.ThreadCount);
        pool.Run(items, (a, isTransposed, target, tiles, items), static (state, item) =>
            Copy(state.a, state.isTransposed, state.target, (int)((long)state.tiles * item / state.items), (int)((long)state.tiles * (item + 1) / state.items)));
        return target;
    }

    private static void Copy(Matrix a, bool isTransposed, Factor target, int firstTile, int endTile)
    {
        (int allRows, int depth) = isTransposed ? (a.Columns, a.Rows) : (a.Rows, a.Columns);
        fixed (float* array = a.Array)
        {
            for (int step = 0; step < depth; step += StepsAtOnce)
            {
                int steps = Math.Min(StepsAtOnce, depth - step);
                for (int tile = firstTile; tile < endTile; tile++)
                {
                    int row = tile * target.TilePlaces;
                    int rows = Math.Min(target.TilePlaces, allRows - row);
                    float* to = target.From(row, step).Start;
                    float* from = array + a.Offset + (isTransposed ? (step * (nint)a.Stride) + row : (row * (nint)a.Stride) + step);
                    if (!isTransposed)
                    {
                        Packing<TSimd, TVector>.TransposeFew(from, a.Stride, rows, steps, to, MostRows);
                    }
                    else if (row + (Vectors * TSimd.Width) <= allRows)
                    {
                        CopyVectors(from, a.Stride, steps, to);
                    }
                    else
                    {
                        Packing<TSimd, TVector>.Copy(from, a.Stride, steps, rows, to, MostRows);
                    }
                }
            }
        }
    }

    // A step's vectors end in the next step's values, which come after them.
    private static void CopyVectors(float* source, nint sourceStep, int steps, float* target)
    {
        for (int step = 0; step < steps; step++)
        {
            for (int vector = 0; vector < Vectors; vector++)
            {
                TSimd.Store(TSimd.Load(source + (vector * TSimd.Width)), target + (vector * TSimd.Width));
            }

            source += sourceStep;
            target += MostRows;
        }
    }
}
