namespace Aries.Managed;

/// <summary>One product for one vector width: blocks of the result over the pool, and in each the factors' common length in blocks.</summary>
/// <remarks>
/// <para>
/// A panel, as wide as a tile, of the second factor is in the first cache while all rows of a block pass over it, and these are in the second. A factor is read
/// where it lies if that is no trouble for the caches, and copied otherwise. Copying moves a value at the speed of the second cache, in the time of 5 to 12
/// multiply-adds. Copies of the first factor are gained back over the columns of the second, and the other way round. So for few rows the second factor is read where it lies or, where that cannot be, the product
/// is computed as cᵀ = bᵀ·aᵀ: only the few rows are copied, and the block of the result is transposed in the end. That took a·bᵀ at 16 rows from 60 % of the
/// machine's peak to 80 %.
/// </para>
/// <para>
/// The common length is cut at multiples of <see cref="DepthPerBlock"/> from its start, whatever the shapes: an element is
/// ((c + s₀) + s₁) + …, each s a chain of fused multiply-adds from zero.
/// </para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static unsafe class BlockedProduct<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>The chain's length. Part of the results' definition: another value gives other roundings.</summary>
    public const int DepthPerBlock = 256;

    // 384 rows of 256 values are 384 KiB, beside a panel at a time: they fit into a second cache of 1 MiB.
    private const int RowsPerBlock = 384;

    // Of a transposed result, beside the panels of the whole length.
    private const int TransposedRowsPerBlock = 96;

    // Up to so many rows, copying the second factor costs more than what its distant rows, which lie across cache lines, cost the tiles.
    private const int FewRows = 96;

    // A page: rows so far apart, or a multiple of it, compete for the same places in the first cache.
    private const int PageStride = 1024;

    // From this stride on, in values, the steps of a transposed first factor lie on pages of their own, and a tile takes a part of a line from each.
    private const int FarStep = 512;

    // From this distance on, in values, a panel's rows are not dense.
    private const int SparseStep = 256;

    // From so many rows and columns on, copying the first factor is gained back by the tiles that read it from one place; not with narrower vectors, which lost by it.
    private const int CopiedRows = 256;
    private const int CopiedColumns = 384;

    // 8 MiB of copied rows at a time, of so many steps: whole blocks.
    private const int MaxCopiedValues = 2 * 1024 * 1024;
    private const int CopiedDepth = 4096;

    // A panel block of at most 64 KiB stays near while the rows pass, so that the result is written in the order in which it lies.
    private const int NearPanels = 16 * 1024;

    private static int Panel => PanelProduct<TSimd, TVector>.Columns;

    private static bool IsWide => TSimd.Width == 16;

    public static void Run(in Product product, WorkerPool pool)
    {
        if (product.C.Rows == 0 || product.C.Columns == 0)
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

        Product work = Cost(product) <= Cost(product.Swapped) ? product : product.Swapped;
        if (!CopiesRows(work))
        {
            RunItems(work, default, pool);
            return;
        }

        for (int step = 0; step < work.Depth; step += CopiedDepth)
        {
            Product steps = work.DepthRange(step, Math.Min(CopiedDepth, work.Depth - step));
            int rows = MaxCopiedValues / steps.Depth;
            for (int row = 0; row < work.Rows; row += rows)
            {
                Product part = steps.RowRange(row, Math.Min(rows, work.Rows - row));
                RunItems(part, RowTiles<TSimd, TVector>.Copy(part.A, part.TransposeA, pool), pool);
            }
        }
    }

    // With a copy of the first factor, or the default to read it where it lies.
    private static void RunItems(in Product product, Factor copy, WorkerPool pool)
    {
        bool isCopied = copy.TilePlaces > 0;
        ProductGrid grid = ProductGrid.Of(product, Panel, isCopied ? copy.TilePlaces : TileOfHeight<TSimd, TVector>.MostRows, isCopied, pool.ThreadCount);
        pool.Run(grid.Count, (product, copy, grid), static (state, item) => Item(state.product, state.copy, state.grid, item));
    }

    // Whether the first factor is copied, once for all threads: it is large enough, or lies so that the caches suffer.
    private static bool CopiesRows(in Product product)
    {
        if (product.TransposeC || product.Columns <= Panel)
        {
            return false;
        }

        bool isFar = product.TransposeA ? product.A.Stride >= FarStep : product.A.Stride % PageStride == 0;
        return isFar || (IsWide && product.Rows >= CopiedRows && product.Columns >= CopiedColumns);
    }

    // In multiply-adds, as the processor with the slower caches of those that were measured takes for copying a value and for transposing it.
    private static long Cost(in Product product)
    {
        const int Copy = 8;
        const int Transposition = 10;
        (long rows, long columns, long depth) = (product.Rows, product.Columns, product.Depth);
        long packing = product.TransposeB ? Transposition : rows <= FewRows ? 0 : Copy;
        long cost = (rows * RoundUp(product.Columns, TSimd.Width) * depth) + (columns * depth * packing);

        // Rows that are not copied take a tile some instructions more for a step.
        cost += CopiesRows(product) ? rows * depth * (product.TransposeA ? Copy : Transposition) : IsWide ? rows * columns * depth / 16 : 0;
        if (!product.TransposeC)
        {
            return cost;
        }

        // The first factor is not copied here: where its steps are far apart, the tiles take about twice as long.
        bool isFar = product.TransposeA && product.A.Stride >= FarStep;
        return cost + (Transposition * rows * columns * (product.Accumulate ? 2 : 1)) + (isFar ? rows * columns * depth : 0);
    }

    private static int RoundUp(int value, int multiple) => (value + multiple - 1) / multiple * multiple;

    private static void Item(in Product product, Factor copy, in ProductGrid grid, int item)
    {
        int rowStart = item / grid.Across * grid.Rows;
        int rows = Math.Min(grid.Rows, product.Rows - rowStart);
        int columnStart = item % grid.Across * grid.Columns;
        int columns = Math.Min(grid.Columns, product.Columns - columnStart);
        (Matrix aMatrix, Matrix bMatrix, Matrix cMatrix) = (product.A, product.B, product.C);
        fixed (float* a = aMatrix.Array, b = bMatrix.Array, c = cMatrix.Array)
        {
            Factor left = product.TransposeA ? new(a + aMatrix.Offset, 1, aMatrix.Stride) : new(a + aMatrix.Offset, aMatrix.Stride, 1);
            Factor right = product.TransposeB ? new(b + bMatrix.Offset, bMatrix.Stride, 1) : new(b + bMatrix.Offset, 1, bMatrix.Stride);
            left = (copy.TilePlaces > 0 ? copy : left).From(rowStart, 0);
            right = right.From(columnStart, 0);
            if (product.TransposeC)
            {
                float* target = c + cMatrix.Offset + ((nint)columnStart * cMatrix.Stride) + rowStart;
                MultiplyTransposed(left, right, rows, columns, product.Depth, target, cMatrix.Stride, product.Accumulate);
            }
            else
            {
                float* target = c + cMatrix.Offset + ((nint)rowStart * cMatrix.Stride) + columnStart;
                Multiply(left, right, rows, columns, product.Depth, target, cMatrix.Stride, product.Accumulate);
            }
        }
    }

    private static void Multiply(Factor left, Factor right, int rows, int columns, int depth, float* c, nint cRow, bool accumulate)
    {
        int tile = left.TilePlaces > 0 ? left.TilePlaces : RowTiles<TSimd, TVector>.Height(rows);
        int rowsPerBlock = columns >= 4 * Panel && (long)columns * Math.Min(depth, DepthPerBlock) <= NearPanels ? tile
            : Math.Min(left.TilePlaces > 0 ? RowsPerBlock / tile * tile : RowsPerBlock, rows);

        int padded = RoundUp(columns, TSimd.Width);
        float* panels = PackingBuffer.Take((padded * DepthPerBlock) + PanelProduct<TSimd, TVector>.EdgeLength(rowsPerBlock));
        float* edge = panels + (padded * DepthPerBlock);
        int inPlace = right.Place != 1 || rows > FewRows ? 0
            : columns % Panel == TSimd.Width ? columns
            : columns / Panel * Panel;
        for (int depthStart = 0; depthStart < depth; depthStart += DepthPerBlock)
        {
            int block = Math.Min(DepthPerBlock, depth - depthStart);
            bool add = accumulate || depthStart > 0;
            Factor rightBlock = right.From(0, depthStart);
            if (inPlace < columns)
            {
                PackPanels(rightBlock.From(inPlace, 0), columns - inPlace, block, panels + (inPlace * block));
            }

            for (int row = 0; row < rows; row += rowsPerBlock)
            {
                int count = Math.Min(rowsPerBlock, rows - row);
                Factor near = left.From(row, depthStart);
                for (int column = 0; column < columns; column += Panel)
                {
                    int width = Math.Min(Panel, columns - column);
                    Factor panel = column + width <= inPlace ? rightBlock.From(column, 0) : new(panels + (column * block), 1, PanelWidth(width));
                    PanelProduct<TSimd, TVector>.Multiply(near, count, block, panel, width, c + (row * cRow) + column, cRow, add, edge, Beside(panel));
                }
            }
        }
    }

    private static void MultiplyTransposed(Factor left, Factor right, int rows, int columns, int depth, float* c, nint cRow, bool accumulate)
    {
        int padded = RoundUp(columns, TSimd.Width);
        int rowsPerBlock = Math.Min(TransposedRowsPerBlock, rows);
        float* panels = PackingBuffer.Take(padded * (depth + rowsPerBlock));
        float* sums = panels + (padded * depth);
        for (int depthStart = 0; depthStart < depth; depthStart += DepthPerBlock)
        {
            PackPanels(right.From(0, depthStart), columns, Math.Min(DepthPerBlock, depth - depthStart), panels + (padded * depthStart));
        }

        for (int row = 0; row < rows; row += rowsPerBlock)
        {
            int count = Math.Min(rowsPerBlock, rows - row);
            if (accumulate)
            {
                Packing<TSimd, TVector>.Transpose(c + row, cRow, columns, count, sums, padded);
            }

            for (int depthStart = 0; depthStart < depth; depthStart += DepthPerBlock)
            {
                int block = Math.Min(DepthPerBlock, depth - depthStart);
                bool add = accumulate || depthStart > 0;
                Factor near = left.From(row, depthStart);
                for (int column = 0; column < padded; column += Panel)
                {
                    int width = Math.Min(Panel, padded - column);
                    Factor panel = new(panels + (padded * depthStart) + (column * block), 1, width);
                    PanelProduct<TSimd, TVector>.Multiply(near, count, block, panel, width, sums + column, padded, add, edge: null, ahead: default);
                }
            }

            Packing<TSimd, TVector>.Transpose(sums, padded, count, columns, c + row, cRow);
        }
    }

    // A panel that is read where it lies has a line or two of each row, too far apart for the processor to guess those of the panel beside it.
    private static LinesAhead Beside(Factor panel)
    {
        int lines = Panel * sizeof(float) / CacheLine.Bytes;
        byte* end = (byte*)(panel.Start + (2 * Panel)) - 1;
        return panel.Step < SparseStep ? default : new(end - ((lines - 1) * CacheLine.Bytes), panel.Step * sizeof(float), CacheLine.Bytes, lines);
    }

    private static int PanelWidth(int columns) => columns > TSimd.Width ? Panel : TSimd.Width;

    private static void PackPanels(Factor right, int columns, int depth, float* target)
    {
        for (int column = 0; column < columns; column += Panel)
        {
            int width = PanelWidth(columns - column);
            int count = Math.Min(width, columns - column);
            float* source = right.Start + (column * right.Place);
            if (right.Step == 1)
            {
                Packing<TSimd, TVector>.Transpose(source, right.Place, count, depth, target, width);
            }
            else
            {
                Packing<TSimd, TVector>.Copy(source, right.Step, depth, count, target, width);
            }

            for (int step = 0; step < depth && count < width; step++)
            {
                new Span<float>(target + (step * width) + count, width - count).Clear();
            }

            target += width * depth;
        }
    }
}
