using System.Runtime.CompilerServices;
using static Aries.Managed.RowCounts;

namespace Aries.Managed;

/// <summary>One product for one vector width: blocks of the result over the pool, and in each the factors' common length in blocks.</summary>
/// <remarks>
/// A block of the second factor is copied into panels as wide as a tile and kept in the second cache; a panel is in the first cache while all rows pass over it.
/// The common length is cut at multiples of <see cref="DepthPerBlock"/> from its start, whatever the shapes: an element is
/// ((c + s₀) + s₁) + …, each s a chain of fused multiply-adds from zero.
/// </remarks>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static unsafe class BlockedProduct<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>The chain's length. Part of the results' definition: another value gives other roundings.</summary>
    public const int DepthPerBlock = 256;

    // 128 columns of 256 values are 128 KiB, and 192 rows of them 192 KiB: both fit into a second cache of 512 KiB.
    private const int ColumnsPerBlock = 128;

    private const int RowsPerBlock = 192;

    // Off the power of two, at which a tile's rows would compete for the same places in the cache.
    private const int TransposedRow = DepthPerBlock + 16;

    // Fused multiply-adds of a few microseconds: less is not worth waking a thread.
    private const long WorkPerItem = 128 * 1024;

    // The rows of a are kept near over all panels if they are few; then b is read in the order in which it lies.
    private const long NearRows = 32 * 1024;

    private static int TileRows => RegisterCount >= 32 ? 12 : 6;

    private static int RegisterCount => TSimd.Width == 16 || System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported ? 32 : 16;

    public static void Run(in Product product, WorkerPool pool)
    {
        (int rows, int columns) = (product.C.Rows, product.C.Columns);
        if (rows == 0 || columns == 0)
        {
            return;
        }

        if (product.Depth == 0)
        {
            if (!product.Accumulate)
            {
                product.C.Clear();
            }

            return;
        }

        int panel = ProductTile<TSimd, TVector>.Columns;
        int rowBlocks = (rows + RowsPerBlock - 1) / RowsPerBlock;
        int columnsPerBlock = Math.Min(ColumnsPerBlock, RoundUp(columns, panel));
        long work = (long)rows * columns * product.Depth;

        // Enough items that the last of them does not hold up the threads, none too small to be worth handing out.
        long wanted = pool.ThreadCount == 1 ? 1 : Math.Clamp(work / WorkPerItem, 1, pool.ThreadCount * 4L);
        while (columnsPerBlock > panel && rowBlocks * ((columns + columnsPerBlock - 1L) / columnsPerBlock) < wanted)
        {
            columnsPerBlock = RoundUp(columnsPerBlock / 2, panel);
        }

        int columnBlocks = (columns + columnsPerBlock - 1) / columnsPerBlock;
        rowBlocks = (int)Math.Max(rowBlocks, Math.Min((wanted + columnBlocks - 1) / columnBlocks, (rows + (2L * TileRows) - 1) / (2L * TileRows)));
        int rowsPerBlock = RoundUp((rows + rowBlocks - 1) / rowBlocks, TileRows);
        rowBlocks = (rows + rowsPerBlock - 1) / rowsPerBlock;
        if (wanted == 1)
        {
            for (int item = 0; item < rowBlocks * columnBlocks; item++)
            {
                Block(product, item, rowsPerBlock, columnsPerBlock, columnBlocks);
            }

            return;
        }

        pool.Run(rowBlocks * columnBlocks, (product, rowsPerBlock, columnsPerBlock, columnBlocks), static (state, item) =>
            Block(state.product, item, state.rowsPerBlock, state.columnsPerBlock, state.columnBlocks));
    }

    private static int RoundUp(int value, int multiple) => (value + multiple - 1) / multiple * multiple;

    private static void Block(in Product product, int item, int rowsPerBlock, int columnsPerBlock, int columnBlocks)
    {
        int rowStart = item / columnBlocks * rowsPerBlock;
        int rowCount = Math.Min(rowsPerBlock, product.C.Rows - rowStart);
        int columnStart = item % columnBlocks * columnsPerBlock;
        int columnEnd = Math.Min(columnStart + columnsPerBlock, product.C.Columns);
        int panel = ProductTile<TSimd, TVector>.Columns;
        int step = (long)rowCount * product.Depth <= NearRows ? panel : columnsPerBlock;
        fixed (float* a = product.A.Array, b = product.B.Array, c = product.C.Array)
        {
            for (int column = columnStart; column < columnEnd; column += step)
            {
                int columnCount = Math.Min(step, columnEnd - column);
                for (int depthStart = 0; depthStart < product.Depth; depthStart += DepthPerBlock)
                {
                    int depth = Math.Min(DepthPerBlock, product.Depth - depthStart);
                    DepthBlock(product, a, b, c, rowStart, rowCount, column, columnCount, depthStart, depth);
                }
            }
        }
    }

    private static void DepthBlock(
        in Product product, float* a, float* b, float* c, int rowStart, int rowCount, int columnStart, int columnCount, int depthStart, int depth)
    {
        int panel = ProductTile<TSimd, TVector>.Columns;
        int bLength = RoundUp(columnCount, panel) * DepthPerBlock;
        int edgeLength = TileRows * panel;
        float* bPanels = Packing.Buffer(bLength + edgeLength + (product.TransposeA ? rowCount * TransposedRow : 0));
        float* edge = bPanels + bLength;
        float* aRows = edge + edgeLength;

        for (int column = 0; column < columnCount; column += panel)
        {
            int count = Math.Min(panel, columnCount - column);
            float* target = bPanels + ((nint)column * depth);
            if (product.TransposeB)
            {
                float* source = b + product.B.Offset + ((nint)(columnStart + column) * product.B.Stride) + depthStart;
                Packing.Transpose(source, product.B.Stride, count, depth, target, panel, panel);
            }
            else
            {
                float* source = b + product.B.Offset + ((nint)depthStart * product.B.Stride) + columnStart + column;
                Packing.Copy(source, product.B.Stride, count, depth, target, panel);
            }
        }

        // Tiles of nearly one height: a last tile of a single row would wait for its own sums.
        int tiles = (rowCount + TileRows - 1) / TileRows;
        if (product.TransposeA)
        {
            float* source = a + product.A.Offset + ((nint)depthStart * product.A.Stride) + rowStart;
            Packing.Transpose(source, product.A.Stride, depth, rowCount, aRows, TransposedRow, depth);
        }

        nint aStride = product.TransposeA ? TransposedRow : product.A.Stride;
        float* aStart = product.TransposeA ? aRows : a + product.A.Offset + ((nint)rowStart * product.A.Stride) + depthStart;
        bool accumulate = product.Accumulate || depthStart > 0;
        for (int column = 0; column < columnCount; column += panel)
        {
            float* bPanel = bPanels + ((nint)column * depth);
            int count = Math.Min(panel, columnCount - column);
            for (int tile = 0; tile < tiles; tile++)
            {
                (int first, int height) = TileAt(tile, tiles, rowCount);
                float* target = c + product.C.Offset + ((nint)(rowStart + first) * product.C.Stride) + columnStart + column;
                float* source = aStart + (first * aStride);
                if (count == panel)
                {
                    Multiply(height, depth, source, aStride, bPanel, target, product.C.Stride, accumulate);
                }
                else
                {
                    Multiply(height, depth, source, aStride, bPanel, edge, panel, accumulate: false);
                    CopyEdge(edge, panel, target, product.C.Stride, height, count, accumulate);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (int First, int Height) TileAt(int tile, int tiles, int rows)
    {
        (int height, int taller) = (rows / tiles, rows % tiles);
        return ((tile * height) + Math.Min(tile, taller), tile < taller ? height + 1 : height);
    }

    private static void CopyEdge(float* edge, int panel, float* target, nint stride, int rows, int columns, bool accumulate)
    {
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                float sum = edge[(row * panel) + column];
                target[column] = accumulate ? target[column] + sum : sum;
            }

            target += stride;
        }
    }

    private static void Multiply(
        int height, nint depth, float* a, nint aRow, float* b, float* c, nint cRow, bool accumulate)
    {
        switch (height)
        {
            case 1: ProductTile<TSimd, TVector>.Multiply<Rows1>(depth, a, aRow, b, c, cRow, accumulate); break;
            case 2: ProductTile<TSimd, TVector>.Multiply<Rows2>(depth, a, aRow, b, c, cRow, accumulate); break;
            case 3: ProductTile<TSimd, TVector>.Multiply<Rows3>(depth, a, aRow, b, c, cRow, accumulate); break;
            case 4: ProductTile<TSimd, TVector>.Multiply<Rows4>(depth, a, aRow, b, c, cRow, accumulate); break;
            case 5: ProductTile<TSimd, TVector>.Multiply<Rows5>(depth, a, aRow, b, c, cRow, accumulate); break;
            case 6: ProductTile<TSimd, TVector>.Multiply<Rows6>(depth, a, aRow, b, c, cRow, accumulate); break;
            case 7: ProductTile<TSimd, TVector>.Multiply<Rows7>(depth, a, aRow, b, c, cRow, accumulate); break;
            case 8: ProductTile<TSimd, TVector>.Multiply<Rows8>(depth, a, aRow, b, c, cRow, accumulate); break;
            case 9: ProductTile<TSimd, TVector>.Multiply<Rows9>(depth, a, aRow, b, c, cRow, accumulate); break;
            case 10: ProductTile<TSimd, TVector>.Multiply<Rows10>(depth, a, aRow, b, c, cRow, accumulate); break;
            case 11: ProductTile<TSimd, TVector>.Multiply<Rows11>(depth, a, aRow, b, c, cRow, accumulate); break;
            default: ProductTile<TSimd, TVector>.Multiply<Rows12>(depth, a, aRow, b, c, cRow, accumulate); break;
        }
    }
}
