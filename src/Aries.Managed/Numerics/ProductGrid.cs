namespace Aries.Managed;

/// <summary>How a product's result is cut into the items that the threads share, and that the caches hold.</summary>
/// <param name="Rows">The rows of an item.</param>
/// <param name="Columns">The columns of an item.</param>
/// <param name="Across">The number of items beside each other.</param>
/// <param name="Count">The number of items.</param>
/// <threadsafety>Immutable.</threadsafety>
internal readonly record struct ProductGrid(int Rows, int Columns, int Across, int Count)
{
    // Multiply-adds of one to four microseconds: less is not worth waking a thread.
    private const long WorkPerItem = 128 * 1024;

    // Enough items that the last of them does not hold up the threads.
    private const int ItemsPerThread = 4;

    // Each item copies its part of the second factor: so many rows pay for it. 1024 by 256 of the result are 1 MiB, which comes back with every block of the common length.
    private const int MaxRows = 1024;
    private const int MaxColumns = 256;

    // With less depth the panels of more columns stay in the second cache.
    private const int MaxPanelValues = 64 * 1024;

    // Of a transposed result the panels are copied for the whole length, by every item: 512 KiB.
    private const int MaxTransposedValues = 128 * 1024;
    private const int MinTransposedRows = 192;

    /// <summary>Cuts a product.</summary>
    /// <param name="product">The product.</param>
    /// <param name="panel">The columns of a panel.</param>
    /// <param name="tileRows">The rows of a tile.</param>
    /// <param name="wholeTiles">Whether an item has whole tiles.</param>
    /// <param name="threads">How many threads share the items.</param>
    public static ProductGrid Of(in Product product, int panel, int tileRows, bool wholeTiles, int threads)
    {
        (int rows, int columns, int depth) = (product.Rows, product.Columns, product.Depth);
        int wanted = threads == 1 ? 1 : (int)Math.Clamp((long)rows * columns * depth / WorkPerItem, 1, ItemsPerThread * threads);
        int panels = Blocks(columns, panel);
        int across, down;
        if (product.TransposeC)
        {
            across = Blocks(panels, Math.Max(1, MaxTransposedValues / depth / panel));
            down = Math.Min(wanted, Math.Max(threads, rows / MinTransposedRows / threads * threads));
        }
        else
        {
            int least = Blocks(panels, Math.Max(MaxColumns, MaxPanelValues / depth) / panel);
            across = Math.Max(least, Math.Min(wanted, panels / 2));
            across = across % threads == 0 || across < threads ? across : across - (across % threads) + (across - (across % threads) < least ? threads : 0);
            down = Blocks(rows, MaxRows);
        }

        int columnsPerItem = Blocks(panels, across) * panel;
        across = Blocks(columns, columnsPerItem);
        down = Math.Max(down, Blocks(wanted, across));
        if (wanted > 1 && across * down % threads != 0)
        {
            down = Blocks(down, threads) * threads;
        }

        int rowsPerItem = Math.Max(Blocks(rows, down), Math.Min(rows, 2 * tileRows));
        rowsPerItem = wholeTiles ? Blocks(rowsPerItem, tileRows) * tileRows : rowsPerItem;
        return new ProductGrid(rowsPerItem, columnsPerItem, across, across * Blocks(rows, rowsPerItem));
    }

    private static int Blocks(int count, int perBlock) => (int)((count + (long)perBlock - 1) / perBlock);
}
