namespace Aries.Managed;

/// <summary>One product for one vector width: blocks of the result over the pool, and in each the factors' common length in blocks.</summary>
/// <remarks>
/// <para>
/// A panel, as wide as a tile, of the second factor is in the first cache while all rows of a block pass over it, and these are in the second. A factor is read
/// where it lies if its stride is no trouble for the caches, and copied otherwise. The limit at few rows is that copying: it costs time for every value of the
/// second factor and is gained back over the rows of the first. So for few rows the product is computed as cᵀ = bᵀ·aᵀ: only the few rows are copied, and the
/// block of the result is transposed in the end. That took a·bᵀ at 16 rows from 60 % of the machine's peak to 80 %.
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

    // 192 rows of 256 values are 192 KiB, beside a panel at a time: they fit into a second cache of 512 KiB.
    private const int RowsPerBlock = 192;

    // Off the power of two, at which a tile's rows would compete for the same places in the cache.
    private const int CopiedRow = DepthPerBlock + 16;

    // From this stride on, in values, a tile's rows lie on pages of their own and compete for places in the first cache.
    private const int FarStride = 1024;

    // A panel block of at most 64 KiB stays near while the rows pass, so that the result is written in the order in which it lies.
    private const int NearPanels = 16 * 1024;

    private static int Panel => PanelProduct<TSimd, TVector>.Columns;

    private static int TileRows => TileOfHeight<TSimd, TVector>.MostRows;

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
        ProductGrid grid = ProductGrid.Of(work, Panel, TileRows, pool.ThreadCount);
        pool.Run(grid.Count, (work, grid), static (state, item) => Item(state.work, state.grid, item));
    }

    // In multiply-adds. Copying a value takes as long as one (a vector of them is loaded and stored), transposing it as long as about five.
    private static long Cost(in Product product)
    {
        const int Transposition = 5;
        (long rows, long columns, long depth) = (product.Rows, product.Columns, product.Depth);
        long cost = (rows * RoundUp(product.Columns, TSimd.Width) * depth) + (columns * depth * (product.TransposeB ? Transposition : 1));
        return product.TransposeC ? cost + (Transposition * rows * columns * (product.Accumulate ? 2 : 1)) : cost;
    }

    private static int RoundUp(int value, int multiple) => (value + multiple - 1) / multiple * multiple;

    private static void Item(in Product product, in ProductGrid grid, int item)
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
            left = left.From(rowStart, 0);
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
        int rowsPerBlock = Math.Min(RowsPerBlock, rows);
        if (columns >= 4 * Panel && (long)columns * Math.Min(depth, DepthPerBlock) <= NearPanels)
        {
            int tiles = PanelProduct<TSimd, TVector>.TileCount(rows, narrow: false);
            rowsPerBlock = (rows + tiles - 1) / tiles;
        }

        int padded = RoundUp(columns, TSimd.Width);
        float* panels = PackingBuffer.Take((padded * DepthPerBlock) + (rowsPerBlock * CopiedRow) + PanelProduct<TSimd, TVector>.EdgeLength);
        float* leftCopy = panels + (padded * DepthPerBlock);
        float* edge = leftCopy + (rowsPerBlock * CopiedRow);

        bool copyLeft = columns > Panel && Math.Max(left.Place, left.Step) >= FarStride;
        int inPlace = right.Place != 1 || right.Step >= FarStride ? 0
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
                if (copyLeft)
                {
                    near = CopyRows(near, count, block, leftCopy);
                }

                for (int column = 0; column < columns; column += Panel)
                {
                    int width = Math.Min(Panel, columns - column);
                    Factor panel = column + width <= inPlace ? rightBlock.From(column, 0) : new(panels + (column * block), 1, PanelWidth(width));
                    PanelProduct<TSimd, TVector>.Multiply(near, count, block, panel, width, c + (row * cRow) + column, cRow, add, edge);
                }
            }
        }
    }

    private static void MultiplyTransposed(Factor left, Factor right, int rows, int columns, int depth, float* c, nint cRow, bool accumulate)
    {
        int padded = RoundUp(columns, TSimd.Width);
        int rowsPerBlock = Math.Min(RowsPerBlock / 2, rows);
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
                    PanelProduct<TSimd, TVector>.Multiply(near, count, block, panel, width, sums + column, padded, add, edge: null);
                }
            }

            Packing<TSimd, TVector>.Transpose(sums, padded, count, columns, c + row, cRow);
        }
    }

    private static Factor CopyRows(Factor left, int rows, int depth, float* target)
    {
        if (left.Step == 1)
        {
            Packing<TSimd, TVector>.Copy(left.Start, left.Place, rows, depth, target, CopiedRow);
            return new Factor(target, CopiedRow, 1);
        }

        Packing<TSimd, TVector>.Copy(left.Start, left.Step, depth, rows, target, rows);
        return new Factor(target, 1, rows);
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
