namespace Aries.Managed;

/// <summary>How many rows or columns one item of the pool takes in the row kernels.</summary>
/// <remarks>About 16k values: a few microseconds, above the cost of handing out an item and below what unbalances the threads.</remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal static class BlockRows
{
    private const int ValuesPerBlock = 16 * 1024;

    public static int RowsPerBlock(Matrix x) => Math.Max(1, ValuesPerBlock / Math.Max(1, x.Columns));

    /// <summary>Whole cache lines of columns, so that two threads do not write into one.</summary>
    public static int ColumnsPerBlock(Matrix x) => Math.Max(16, ValuesPerBlock / Math.Max(1, x.Rows) / 16 * 16);
}
