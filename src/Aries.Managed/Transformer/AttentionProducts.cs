namespace Aries.Managed;

/// <summary>The products of one block of queries with one tile of keys, for one vector width. What no query sees is left out.</summary>
/// <remarks>
/// The limit is the same as that of <see cref="ProductTile{TSimd, TVector}"/>, which does the work: scores lie transposed, so every factor is read where it lies.
/// A sum over a tile's keys is one chain from the first key on; leaving out trailing weights of 0 changes no bit.
/// </remarks>
/// <threadsafety>Every member may be called concurrently on scratch of its own.</threadsafety>
internal static unsafe class AttentionProducts<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private static int Panel => 2 * TSimd.Width;

    /// <summary>Copies rows into columns, whole squares of a vector's width at a time.</summary>
    public static void Transpose(float* source, int rows, int columns, float* target, nint targetRow)
    {
        for (int row = 0; row < rows; row += TSimd.Width)
        {
            for (int column = 0; column < columns; column += TSimd.Width)
            {
                TSimd.Transpose(source + (row * columns) + column, columns, target + (column * targetRow) + row, targetRow);
            }
        }
    }

    /// <summary>Computes result[key, query] = left[key]·right[query] where the query sees the key, and some beside them.</summary>
    /// <param name="tile">Who sees what.</param>
    /// <param name="scratch">Whose sizes the factors have.</param>
    /// <param name="depth">The head size.</param>
    /// <param name="left">Shape [keys, Size].</param>
    /// <param name="rightTransposed">Shape [Size, Row].</param>
    /// <param name="result">Shape [keys, Row].</param>
    public static void Scores(in AttentionTile tile, AttentionScratch scratch, int depth, float* left, float* rightTransposed, float* result)
    {
        int column = tile.FirstQuery / TSimd.Width * TSimd.Width;
        while (column < scratch.Queries)
        {
            bool narrow = column + TSimd.Width == scratch.Queries;
            int end = column + (narrow ? TSimd.Width : Panel);
            int keys = tile.KeysOf(end - 1);
            Tiles(narrow, keys, depth, left, scratch.Size, 1, rightTransposed + column, scratch.Row, result + column, scratch.Row, accumulate: false);
            column = end;
        }
    }

    /// <summary>Computes result[query] = Σ weights[key, query]·values[key], or adds it.</summary>
    /// <param name="tile">Who sees what.</param>
    /// <param name="scratch">Whose sizes the factors have.</param>
    /// <param name="weights">Shape [keys, Row].</param>
    /// <param name="values">Shape [keys, Size].</param>
    /// <param name="result">Shape [queries, Size].</param>
    /// <param name="accumulate">Whether to add.</param>
    public static void SumOverKeys(in AttentionTile tile, AttentionScratch scratch, float* weights, float* values, float* result, bool accumulate)
    {
        int queries = tile.QueryCount - tile.FirstQuery;
        bool narrow = scratch.Size == TSimd.Width;
        int most = (narrow ? 2 : 1) * TileOfHeight<TSimd, TVector>.MostRows;
        int groups = (queries + most - 1) / most;
        int query = tile.FirstQuery;
        for (int group = 0; group < groups; group++)
        {
            int count = (queries / groups) + (group < queries % groups ? 1 : 0);
            int keys = tile.KeysOf(query + count - 1);
            Columns(count, keys, weights + query, 1, scratch.Row, values, scratch.Size, scratch.Size, result + (query * scratch.Size), scratch.Size, accumulate);
            query += count;
        }
    }

    /// <summary>Computes result[key] = Σ weights[key, query]·rows[query].</summary>
    /// <param name="tile">Who sees what.</param>
    /// <param name="scratch">Whose sizes the factors have.</param>
    /// <param name="weights">Shape [keys, Row].</param>
    /// <param name="rows">Shape [queries, Size].</param>
    /// <param name="result">Shape [keys, Size].</param>
    public static void SumOverQueries(in AttentionTile tile, AttentionScratch scratch, float* weights, float* rows, float* result)
    {
        bool narrow = scratch.Size == TSimd.Width;
        int most = (narrow ? 2 : 1) * TileOfHeight<TSimd, TVector>.MostRows;
        int groups = (tile.Count + most - 1) / most;
        int key = 0;
        for (int group = 0; group < groups; group++)
        {
            int count = (tile.Count / groups) + (group < tile.Count % groups ? 1 : 0);
            int query = tile.FirstQueryOf(key);
            Columns(
                count,
                tile.QueryCount - query,
                weights + (key * (nint)scratch.Row) + query,
                scratch.Row,
                1,
                rows + (query * scratch.Size),
                scratch.Size,
                scratch.Size,
                result + (key * scratch.Size),
                scratch.Size,
                accumulate: false);
            key += count;
        }
    }

    /// <summary>Computes result[query, key] = query·key for all keys of a tile, and some beside them: the bits of <see cref="Scores"/>.</summary>
    /// <param name="tile">Who sees what.</param>
    /// <param name="depth">The head size.</param>
    /// <param name="queries">Shape [queries, queryRow].</param>
    /// <param name="queryRow">The distance between queries.</param>
    /// <param name="keysTransposed">Shape [depth, TileKeys].</param>
    /// <param name="result">Shape [queries, TileKeys].</param>
    /// <param name="ahead">Memory to ask for meanwhile.</param>
    public static void ScoreRows(in AttentionTile tile, int depth, float* queries, nint queryRow, float* keysTransposed, float* result, NextRead ahead)
    {
        int first = tile.FirstQuery;
        int columns = (tile.Count + TSimd.Width - 1) / TSimd.Width * TSimd.Width;
        Columns(
            tile.QueryCount - first,
            depth,
            queries + (first * queryRow),
            queryRow,
            1,
            keysTransposed,
            AttentionScratch.TileKeys,
            columns,
            result + (first * AttentionScratch.TileKeys),
            AttentionScratch.TileKeys,
            accumulate: false,
            ahead);
    }

    /// <summary>Computes result[query] = Σ weights[query, key]·values[key], or adds it: the bits of <see cref="SumOverKeys"/>.</summary>
    /// <param name="tile">Who sees what.</param>
    /// <param name="weights">Shape [queries, TileKeys].</param>
    /// <param name="values">Shape [keys, valueRow].</param>
    /// <param name="valueRow">The distance between values; 0 takes one for all.</param>
    /// <param name="size">The values' length, whole vectors.</param>
    /// <param name="result">Shape [queries, size].</param>
    /// <param name="accumulate">Whether to add.</param>
    /// <param name="ahead">Memory to ask for meanwhile.</param>
    public static void SumRowsOverKeys(
        in AttentionTile tile, float* weights, float* values, nint valueRow, int size, float* result, bool accumulate, NextRead ahead)
    {
        int first = tile.FirstQuery;
        Columns(
            tile.QueryCount - first,
            tile.Count,
            weights + (first * AttentionScratch.TileKeys),
            AttentionScratch.TileKeys,
            1,
            values,
            valueRow,
            size,
            result + (first * (nint)size),
            size,
            accumulate,
            ahead);
    }

    // A few rows times a factor, over all its columns.
    private static void Columns(
        int rows, nint depth, float* a, nint aRow, nint aStep, float* b, nint bStep, int columns, float* c, nint cRow, bool accumulate, NextRead ahead = default)
    {
        int column = 0;
        while (column < columns)
        {
            bool narrow = column + TSimd.Width == columns;
            Tiles(narrow, rows, depth, a, aRow, aStep, b + column, bStep, c + column, cRow, accumulate, ahead);
            ahead = ahead.After(depth);
            column += narrow ? TSimd.Width : Panel;
        }
    }

    private static void Tiles(
        bool narrow, int rows, nint depth, float* a, nint aRow, nint aStep, float* b, nint bStep, float* c, nint cRow, bool accumulate, NextRead ahead = default)
    {
        // Tiles of nearly one height: a last tile of a single row would wait for its own sums.
        int most = (narrow ? 2 : 1) * TileOfHeight<TSimd, TVector>.MostRows;
        int tiles = (rows + most - 1) / most;
        for (int tile = 0; tile < tiles; tile++)
        {
            int count = (rows / tiles) + (tile < rows % tiles ? 1 : 0);
            if (narrow)
            {
                TileOfHeight<TSimd, TVector>.Multiply<NarrowTile>(count, depth, a, aRow, aStep, b, bStep, c, cRow, accumulate);
            }
            else if (tile == 0 && ahead.HasSteps(depth))
            {
                TileOfHeight<TSimd, TVector>.Multiply<WideTile, ReadsTwoLinesAhead>(
                    count, depth, a, aRow, aStep, b, bStep, c, cRow, accumulate, ahead.Start, NextRead.StepBytes);
            }
            else
            {
                TileOfHeight<TSimd, TVector>.Multiply<WideTile>(count, depth, a, aRow, aStep, b, bStep, c, cRow, accumulate);
            }

            a += count * aRow;
            c += count * cRow;
        }
    }
}
