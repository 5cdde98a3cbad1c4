using System.Runtime.Intrinsics;
using static Aries.Managed.RowCounts;

namespace Aries.Managed;

/// <summary>Products of rows and packed weights: c = a·Wᵀ, the same bits as <see cref="MatrixProduct"/> gives for the weights that are stored.</summary>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static class PackedProduct
{
    /// <summary>Computes c = a·Wᵀ for every factor, or adds it.</summary>
    /// <exception cref="ArgumentException">The shapes do not fit, or the factors are stored differently.</exception>
    public static void Run(in PackedProducts products, WorkerPool pool)
    {
        products.Check();
        switch (products.First.Weights!.VectorBits)
        {
            case 512: Run<Simd512, Vector512<float>>(products, pool); break;
            case 256: Run<Simd256, Vector256<float>>(products, pool); break;
            default: Run<Simd128, Vector128<float>>(products, pool); break;
        }
    }

    private static void Run<TSimd, TVector>(in PackedProducts products, WorkerPool pool)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        switch (products.First.Weights!.Storage)
        {
            case WeightStorage.Float32: PackedProduct<TSimd, TVector, Float32Panel<TSimd, TVector>>.Run(products, pool); break;
            case WeightStorage.BFloat16: PackedProduct<TSimd, TVector, BFloat16Panel<TSimd, TVector>>.Run(products, pool); break;
            default: PackedProduct<TSimd, TVector, Int8Panel<TSimd, TVector>>.Run(products, pool); break;
        }
    }
}

/// <summary>Products for one vector width and one storage.</summary>
/// <remarks>
/// A few rows stream through the weights, which then are the limit. More rows take a block of a panel at a time, in place where it is float32 and else
/// widened into the nearest cache, and use the tile of <see cref="BlockedProduct{TSimd, TVector}"/>.
/// </remarks>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static unsafe class PackedProduct<TSimd, TVector, TFormat>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TFormat : struct, IPanelFormat<TVector>
{
    private const int DepthPerBlock = BlockedProduct<TSimd, TVector>.DepthPerBlock;

    // A block of rows, DepthPerBlock long, stays in the second cache while panels pass over it.
    private const int RowsPerBlock = 192;

    private const int PanelsPerBlock = 4;

    // Fused multiply-adds of a few microseconds: less is not worth waking a thread.
    private const long WorkPerItem = 128 * 1024;

    // Rows of so many values stay in the second cache over all their length; then a panel is read from end to end.
    private const long NearRows = 96 * 1024;

    // How many steps ahead memory is asked for, as long as it takes to answer: some 4 KiB of a panel.
    private static int ReadAhead => TFormat.StepBytes < CacheLine.Bytes ? 128 : 64;

    // How far ahead a single pass asks for what goes into the second cache.
    private const int EarlyBytes = 16 * 1024;

    // How often a panel is widened in registers before writing the widened one down is faster: a scaled one takes three instructions a vector. With few registers a pass has few rows.
    private static int StreamedPasses =>
        TFormat.IsScaled || StreamedTile<TSimd, TVector, TFormat>.MaxRows == StreamedTile<TSimd, TVector, TFormat>.MaxRowsOfPair ? 1 : 3;

    private static int PanelWidth => ProductTile<TSimd, TVector>.Columns;

    public static void Run(in PackedProducts products, WorkerPool pool)
    {
        (int rows, int panels) = (products.A.Rows, products.PanelCount);
        if (rows == 0)
        {
            return;
        }

        long work = (long)rows * panels * PanelWidth * products.A.Columns;
        long wanted = pool.ThreadCount == 1 ? 1 : Math.Clamp(work / WorkPerItem, 1, pool.ThreadCount * 4L);
        int rowBlocks = (rows + RowsPerBlock - 1) / RowsPerBlock;
        int rowsPerBlock = (rows + rowBlocks - 1) / rowBlocks;
        int panelGroups = (int)Math.Clamp((wanted + rowBlocks - 1) / rowBlocks, 1, panels);
        if (wanted == 1)
        {
            for (int item = 0; item < rowBlocks; item++)
            {
                Item(products, item, rowsPerBlock, panelGroups: 1);
            }

            return;
        }

        pool.Run(rowBlocks * panelGroups, (products, rowsPerBlock, panelGroups), static (state, item) =>
            Item(state.products, item, state.rowsPerBlock, state.panelGroups));
    }

    private static void Item(in PackedProducts products, int item, int rowsPerBlock, int panelGroups)
    {
        int rowStart = item / panelGroups * rowsPerBlock;
        int rows = Math.Min(rowsPerBlock, products.A.Rows - rowStart);
        long panels = products.PanelCount;
        int group = item % panelGroups;
        (int start, int end) = ((int)(panels * group / panelGroups), (int)(panels * (group + 1) / panelGroups));
        while (start < end)
        {
            PackedFactor factor = products.FactorOf(start, out int panel);
            int count = Math.Min(end - start, factor.PanelCount - panel);
            Panels(products.A, products.Accumulate, factor, rowStart, rows, panel, count);
            start += count;
        }
    }

    private static void Panels(Matrix x, bool accumulate, in PackedFactor factor, int rowStart, int rows, int firstPanel, int panelCount)
    {
        PackedMatrix weights = factor.Weights!;
        Matrix y = factor.Result;
        fixed (float* xArray = x.Array, yArray = y.Array)
        {
            Panel panels = new(weights, factor.FirstOutput / PanelWidth, y.Columns, yArray + y.Offset + ((nint)rowStart * y.Stride), y.Stride, accumulate);
            float* a = xArray + x.Offset + ((nint)rowStart * x.Stride);
            int end = firstPanel + panelCount;
            int most = StreamedTile<TSimd, TVector, TFormat>.MaxRows;
            if (rows <= most * StreamedPasses)
            {
                // Passes of nearly one height. Each asks for its part of the next panel, so that memory and multiply-adds are both busy all the time.
                int passes = (rows + most - 1) / most;
                for (int panel = firstPanel; panel < end;)
                {
                    bool isPair = rows <= StreamedTile<TSimd, TVector, TFormat>.MaxRowsOfPair && panel + 2 <= end && (panel + 2) * PanelWidth <= y.Columns;
                    for (int pass = 0; pass < passes; pass++)
                    {
                        int row = rows * pass / passes;
                        Stream(panels, panel, isPair, a, x.Stride, row, (rows * (pass + 1) / passes) - row, pass, passes);
                    }

                    panel += isPair ? 2 : 1;
                }

                return;
            }

            Factor near = new(a, x.Stride, 1);
            int step = (long)rows * x.Columns <= NearRows ? 1 : PanelsPerBlock;
            for (int panel = firstPanel; panel < end; panel += step)
            {
                int last = Math.Min(panel + step, end) - 1;
                for (int depth = 0; depth < x.Columns; depth += DepthPerBlock)
                {
                    for (int i = panel; i <= last; i++)
                    {
                        byte* next = i < last ? panels.Start(i + 1) + weights.Offset(depth)
                            : depth + DepthPerBlock < x.Columns ? panels.Start(panel) + weights.Offset(depth + DepthPerBlock)
                            : panels.Start(i + 1);
                        Tiles(panels, i, depth, near.From(0, depth), rows, next);
                    }
                }
            }
        }
    }

    private static void Tiles(in Panel panels, int panel, int depthStart, Factor x, int rows, byte* next)
    {
        PackedMatrix weights = panels.Weights;
        int depth = Math.Min(DepthPerBlock, weights.Columns - depthStart);
        byte* source = panels.Start(panel) + weights.Offset(depthStart);
        float* widened = PackingBuffer.Take((DepthPerBlock * PanelWidth) + PanelProduct<TSimd, TVector>.EdgeLength(rows));
        float* b = (float*)source;
        if (typeof(TFormat) != typeof(Float32Panel<TSimd, TVector>))
        {
            StreamedTile<TSimd, TVector, TFormat>.Widen(depth, source, widened);
            b = widened;
        }

        int tiles = PanelProduct<TSimd, TVector>.TileCount<WideTile>(rows);
        nint nextStep = TFormat.StepBytes / tiles;
        PanelProduct<TSimd, TVector>.Multiply(
            x,
            rows,
            depth,
            new Factor(b, 1, PanelWidth),
            panels.Columns(panel),
            panels.Result + (panel * PanelWidth),
            panels.Stride,
            panels.Accumulate || depthStart > 0,
            widened + (DepthPerBlock * PanelWidth),
            new LinesAhead(next, nextStep, depth * nextStep, tiles));
    }

    private static void Stream(in Panel panels, int panel, bool isPair, float* a, nint aRow, int row, int rows, int pass, int passes)
    {
        PackedMatrix weights = panels.Weights;
        float* edge = PackingBuffer.Take(StreamedTile<TSimd, TVector, TFormat>.MaxRows * PanelWidth);
        byte* b = panels.Start(panel);
        nint panelBytes = (nint)(panels.Start(panel + 1) - b);
        nint ahead = weights.Offset(ReadAhead);

        // A single pass asks for what it reads itself some time later, every other line of a step, for neighbours come in pairs. Of several each asks for its part of the next panel.
        nint earlyStep = TFormat.StepBytes / passes;
        byte* early = b + (passes == 1 ? EarlyBytes : panelBytes + (panelBytes * pass / passes));
        float* c = panels.Result + (row * panels.Stride) + (panel * PanelWidth);
        a += row * aRow;
        for (int depthStart = 0; depthStart < weights.Columns; depthStart += DepthPerBlock)
        {
            int depth = Math.Min(DepthPerBlock, weights.Columns - depthStart);
            byte* block = b + weights.Offset(depthStart);
            bool add = panels.Accumulate || depthStart > 0;
            if (isPair)
            {
                Stream<Rows2>(rows, depth, a + depthStart, aRow, block, b + panelBytes, panelBytes, ahead, early, earlyStep, c, panels.Stride, add);
            }
            else if (panels.Columns(panel) == PanelWidth)
            {
                Stream<Rows1>(rows, depth, a + depthStart, aRow, block, b + panelBytes, panelBytes, ahead, early, earlyStep, c, panels.Stride, add);
            }
            else
            {
                Stream<Rows1>(rows, depth, a + depthStart, aRow, block, b + panelBytes, panelBytes, ahead, early, earlyStep, edge, PanelWidth, accumulate: false);
                PanelProduct<TSimd, TVector>.CopyEdge(edge, PanelWidth, rows, panels.Columns(panel), c, panels.Stride, add);
            }

            early += depth * earlyStep;
        }
    }

    private static void Stream<TPanels>(
        int rows, nint depth, float* a, nint aRow, byte* b, byte* end, nint panelBytes, nint ahead, byte* early, nint earlyStep, float* c, nint cRow, bool accumulate)
        where TPanels : struct, IRowCount
    {
        switch (rows)
        {
            case 1: StreamedTile<TSimd, TVector, TFormat>.Multiply<Rows1, TPanels>(depth, a, aRow, b, end, panelBytes, ahead, early, earlyStep, c, cRow, accumulate); break;
            case 2: StreamedTile<TSimd, TVector, TFormat>.Multiply<Rows2, TPanels>(depth, a, aRow, b, end, panelBytes, ahead, early, earlyStep, c, cRow, accumulate); break;
            case 3: StreamedTile<TSimd, TVector, TFormat>.Multiply<Rows3, TPanels>(depth, a, aRow, b, end, panelBytes, ahead, early, earlyStep, c, cRow, accumulate); break;
            case 4: StreamedTile<TSimd, TVector, TFormat>.Multiply<Rows4, TPanels>(depth, a, aRow, b, end, panelBytes, ahead, early, earlyStep, c, cRow, accumulate); break;
            case 5: StreamedTile<TSimd, TVector, TFormat>.Multiply<Rows5, TPanels>(depth, a, aRow, b, end, panelBytes, ahead, early, earlyStep, c, cRow, accumulate); break;
            case 6: StreamedTile<TSimd, TVector, TFormat>.Multiply<Rows6, TPanels>(depth, a, aRow, b, end, panelBytes, ahead, early, earlyStep, c, cRow, accumulate); break;
            case 7: StreamedTile<TSimd, TVector, TFormat>.Multiply<Rows7, TPanels>(depth, a, aRow, b, end, panelBytes, ahead, early, earlyStep, c, cRow, accumulate); break;
            case 8: StreamedTile<TSimd, TVector, TFormat>.Multiply<Rows8, TPanels>(depth, a, aRow, b, end, panelBytes, ahead, early, earlyStep, c, cRow, accumulate); break;
            case 9: StreamedTile<TSimd, TVector, TFormat>.Multiply<Rows9, TPanels>(depth, a, aRow, b, end, panelBytes, ahead, early, earlyStep, c, cRow, accumulate); break;
            case 10: StreamedTile<TSimd, TVector, TFormat>.Multiply<Rows10, TPanels>(depth, a, aRow, b, end, panelBytes, ahead, early, earlyStep, c, cRow, accumulate); break;
            case 11: StreamedTile<TSimd, TVector, TFormat>.Multiply<Rows11, TPanels>(depth, a, aRow, b, end, panelBytes, ahead, early, earlyStep, c, cRow, accumulate); break;
            default: StreamedTile<TSimd, TVector, TFormat>.Multiply<Rows12, TPanels>(depth, a, aRow, b, end, panelBytes, ahead, early, earlyStep, c, cRow, accumulate); break;
        }
    }

    // The panels of a factor, and where their results go.
    private readonly struct Panel(PackedMatrix weights, int first, int columns, float* result, nint stride, bool accumulate)
    {
        public PackedMatrix Weights { get; } = weights;

        public float* Result { get; } = result;

        public nint Stride { get; } = stride;

        public bool Accumulate { get; } = accumulate;

        public byte* Start(int panel) => Weights.Panel(first + panel);

        /// <summary>Gets how many of a panel's columns there are.</summary>
        public int Columns(int panel) => Math.Min(PanelWidth, columns - (panel * PanelWidth));
    }
}
