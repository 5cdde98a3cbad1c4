using System.Runtime.CompilerServices;

namespace Aries.Managed;

/// <summary>The innermost product of a few rows and packed weights, which are widened in registers: every weight is read once, and nothing is written but results.</summary>
/// <remarks>
/// The limit is memory. One row and one panel are two chains of fused multiply-adds, which wait for each other's latency longer than the bytes take to come, so
/// for up to four rows two panels are read side by side. Later the multiply-adds are the limit: as many rows as have registers for their sums share one panel, and the memory is
/// asked for later ones meanwhile.
/// An element is the chain that <see cref="ProductTile{TSimd, TVector}"/> computes from the widened weights, bit for bit.
/// </remarks>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static unsafe class StreamedTile<TSimd, TVector, TFormat>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TFormat : struct, IPanelFormat<TVector>
{
    /// <summary>The most rows of a tile of two panels.</summary>
    public const int MaxRowsOfPair = 4;

    /// <summary>Gets the most rows of a tile: as many sums as there are registers.</summary>
    public static int MaxRows => TileOfHeight<TSimd, TVector>.MostRows > 6 ? 12 : 4;

    /// <summary>Computes c[i, j] = Σₖ a[i, k]·w[k, j] over one panel or two, or adds it.</summary>
    /// <param name="depth">The number of steps over k.</param>
    /// <param name="a">a[0, 0]; a row is dense.</param>
    /// <param name="aRow">The distance between a's rows, in values.</param>
    /// <param name="b">The first panel's first step, or the scales before it.</param>
    /// <param name="end">The end of the first panel.</param>
    /// <param name="panelBytes">The distance to the second panel.</param>
    /// <param name="readAhead">How far ahead of the computation memory is asked for, in bytes of a panel.</param>
    /// <param name="early">The first line to ask for into the second cache, of a single panel.</param>
    /// <param name="earlyStep">The distance between two steps' lines, in bytes.</param>
    /// <param name="c">c[0, 0]; the second panel's columns follow the first one's.</param>
    /// <param name="cRow">The distance between c's rows, in values.</param>
    /// <param name="accumulate">Whether the sums are added to what c holds.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<TRows, TPanels>(nint depth, float* a, nint aRow, byte* b, byte* end, nint panelBytes, nint readAhead, byte* early, nint earlyStep, float* c, nint cRow, bool accumulate)
        where TRows : struct, IRowCount
        where TPanels : struct, IRowCount
    {
        TVector left0 = default, right0 = default;
        TVector left1 = default, right1 = default;
        TVector left2 = default, right2 = default;
        TVector left3 = default, right3 = default;
        TVector left4 = default, right4 = default;
        TVector left5 = default, right5 = default;
        TVector left6 = default, right6 = default;
        TVector left7 = default, right7 = default;
        TVector left8 = default, right8 = default;
        TVector left9 = default, right9 = default;
        TVector left10 = default, right10 = default;
        TVector left11 = default, right11 = default;
        TVector scaleLeft = default, scaleRight = default, nextScaleLeft = default, nextScaleRight = default;

        // Three rows share a pointer, reached with a scaled index: one for each row would not fit into the registers.
        float* a3 = a + (3 * aRow);
        float* a6 = a + (6 * aRow);
        float* a9 = a + (9 * aRow);
        byte* next = b + panelBytes;
        while (depth > 0)
        {
            nint steps = Math.Min(depth, PackedMatrix.StepsPerScale);

            // After a panel's end comes the one after the panel beside it.
            byte* ahead = b + readAhead;
            ahead += ahead >= end ? (TPanels.Count - 1) * panelBytes : 0;
            if (TFormat.IsScaled)
            {
                scaleLeft = TSimd.Load((float*)b);
                scaleRight = TSimd.Load((float*)b + TSimd.Width);
                b += 2 * TSimd.Width * sizeof(float);
                if (TPanels.Count > 1)
                {
                    nextScaleLeft = TSimd.Load((float*)next);
                    nextScaleRight = TSimd.Load((float*)next + TSimd.Width);
                    next += 2 * TSimd.Width * sizeof(float);
                }
            }

            depth -= steps;
            for (nint step = 0; step < steps; step++)
            {
                for (int line = 0; line < TFormat.StepBytes; line += CacheLine.Bytes)
                {
                    CacheLine.Request(ahead + line);
                    if (TPanels.Count > 1)
                    {
                        CacheLine.Request(ahead + panelBytes + line);
                    }
                }

                ahead += TFormat.StepBytes;
                if (TPanels.Count == 1)
                {
                    CacheLine.RequestEarly(early);
                    early += earlyStep;
                }

                TVector left = TFormat.LoadLeft(b);
                TVector right = TFormat.LoadRight(b);
                left = TFormat.IsScaled ? TSimd.Multiply(left, scaleLeft) : left;
                right = TFormat.IsScaled ? TSimd.Multiply(right, scaleRight) : right;

                // The second panel, or the first once more for the rows from the seventh on.
                TVector nextLeft = TPanels.Count > 1 ? TFormat.LoadLeft(next) : left;
                TVector nextRight = TPanels.Count > 1 ? TFormat.LoadRight(next) : right;
                nextLeft = TPanels.Count > 1 && TFormat.IsScaled ? TSimd.Multiply(nextLeft, nextScaleLeft) : nextLeft;
                nextRight = TPanels.Count > 1 && TFormat.IsScaled ? TSimd.Multiply(nextRight, nextScaleRight) : nextRight;
                b += TFormat.StepBytes;
                next += TFormat.StepBytes;

                TVector factor0 = TSimd.Broadcast(a);
                TVector factor1 = TRows.Count > 1 ? TSimd.Broadcast(a + aRow) : default;
                TVector factor2 = TRows.Count > 2 ? TSimd.Broadcast(a + (2 * aRow)) : default;
                TVector factor3 = TRows.Count > 3 ? TSimd.Broadcast(a3) : default;
                left0 = TSimd.MultiplyAdd(factor0, left, left0);
                right0 = TSimd.MultiplyAdd(factor0, right, right0);

                if (TRows.Count > 1)
                {
                    left1 = TSimd.MultiplyAdd(factor1, left, left1);
                    right1 = TSimd.MultiplyAdd(factor1, right, right1);
                }

                if (TRows.Count > 2)
                {
                    left2 = TSimd.MultiplyAdd(factor2, left, left2);
                    right2 = TSimd.MultiplyAdd(factor2, right, right2);
                }

                if (TRows.Count > 3)
                {
                    left3 = TSimd.MultiplyAdd(factor3, left, left3);
                    right3 = TSimd.MultiplyAdd(factor3, right, right3);
                }

                if (TRows.Count > 4)
                {
                    TVector factor = TSimd.Broadcast(a3 + aRow);
                    left4 = TSimd.MultiplyAdd(factor, left, left4);
                    right4 = TSimd.MultiplyAdd(factor, right, right4);
                }

                if (TRows.Count > 5)
                {
                    TVector factor = TSimd.Broadcast(a3 + (2 * aRow));
                    left5 = TSimd.MultiplyAdd(factor, left, left5);
                    right5 = TSimd.MultiplyAdd(factor, right, right5);
                }

                if (TPanels.Count > 1 ? TRows.Count > 0 : TRows.Count > 6)
                {
                    TVector factor = TPanels.Count > 1 ? factor0 : TSimd.Broadcast(a6);
                    left6 = TSimd.MultiplyAdd(factor, nextLeft, left6);
                    right6 = TSimd.MultiplyAdd(factor, nextRight, right6);
                }

                if (TPanels.Count > 1 ? TRows.Count > 1 : TRows.Count > 7)
                {
                    TVector factor = TPanels.Count > 1 ? factor1 : TSimd.Broadcast(a6 + aRow);
                    left7 = TSimd.MultiplyAdd(factor, nextLeft, left7);
                    right7 = TSimd.MultiplyAdd(factor, nextRight, right7);
                }

                if (TPanels.Count > 1 ? TRows.Count > 2 : TRows.Count > 8)
                {
                    TVector factor = TPanels.Count > 1 ? factor2 : TSimd.Broadcast(a6 + (2 * aRow));
                    left8 = TSimd.MultiplyAdd(factor, nextLeft, left8);
                    right8 = TSimd.MultiplyAdd(factor, nextRight, right8);
                }

                if (TPanels.Count > 1 ? TRows.Count > 3 : TRows.Count > 9)
                {
                    TVector factor = TPanels.Count > 1 ? factor3 : TSimd.Broadcast(a9);
                    left9 = TSimd.MultiplyAdd(factor, nextLeft, left9);
                    right9 = TSimd.MultiplyAdd(factor, nextRight, right9);
                }

                if (TRows.Count > 10)
                {
                    TVector factor = TSimd.Broadcast(a9 + aRow);
                    left10 = TSimd.MultiplyAdd(factor, nextLeft, left10);
                    right10 = TSimd.MultiplyAdd(factor, nextRight, right10);
                }

                if (TRows.Count > 11)
                {
                    TVector factor = TSimd.Broadcast(a9 + (2 * aRow));
                    left11 = TSimd.MultiplyAdd(factor, nextLeft, left11);
                    right11 = TSimd.MultiplyAdd(factor, nextRight, right11);
                }

                a++;
                a3++;
                a6++;
                a9++;
            }
        }

        Finish(c, left0, right0, accumulate);

        if (TRows.Count > 1)
        {
            Finish(c + cRow, left1, right1, accumulate);
        }

        if (TRows.Count > 2)
        {
            Finish(c + (2 * cRow), left2, right2, accumulate);
        }

        if (TRows.Count > 3)
        {
            Finish(c + (3 * cRow), left3, right3, accumulate);
        }

        if (TRows.Count > 4)
        {
            Finish(c + (4 * cRow), left4, right4, accumulate);
        }

        if (TRows.Count > 5)
        {
            Finish(c + (5 * cRow), left5, right5, accumulate);
        }

        float* lower = TPanels.Count > 1 ? c + (2 * TSimd.Width) : c + (6 * cRow);
        if (TPanels.Count > 1 ? TRows.Count > 0 : TRows.Count > 6)
        {
            Finish(lower, left6, right6, accumulate);
        }

        if (TPanels.Count > 1 ? TRows.Count > 1 : TRows.Count > 7)
        {
            Finish(lower + cRow, left7, right7, accumulate);
        }

        if (TPanels.Count > 1 ? TRows.Count > 2 : TRows.Count > 8)
        {
            Finish(lower + (2 * cRow), left8, right8, accumulate);
        }

        if (TPanels.Count > 1 ? TRows.Count > 3 : TRows.Count > 9)
        {
            Finish(lower + (3 * cRow), left9, right9, accumulate);
        }

        if (TRows.Count > 10)
        {
            Finish(lower + (4 * cRow), left10, right10, accumulate);
        }

        if (TRows.Count > 11)
        {
            Finish(lower + (5 * cRow), left11, right11, accumulate);
        }
    }

    /// <summary>Widens a panel's weights, as a tile of more rows reads them.</summary>
    /// <param name="depth">The number of steps over k.</param>
    /// <param name="b">The panel's first step, or the scales before it.</param>
    /// <param name="target">Receives the weights, dense. Shape [depth, 2 vectors].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(nint depth, byte* b, float* target)
    {
        TVector scaleLeft = default, scaleRight = default;
        while (depth > 0)
        {
            nint steps = depth;
            if (TFormat.IsScaled)
            {
                steps = Math.Min(depth, PackedMatrix.StepsPerScale);
                scaleLeft = TSimd.Load((float*)b);
                scaleRight = TSimd.Load((float*)b + TSimd.Width);
                b += 2 * TSimd.Width * sizeof(float);
            }

            depth -= steps;
            for (nint step = 0; step < steps; step++)
            {
                TVector left = TFormat.LoadLeft(b);
                TVector right = TFormat.LoadRight(b);
                TSimd.Store(TFormat.IsScaled ? TSimd.Multiply(left, scaleLeft) : left, target);
                TSimd.Store(TFormat.IsScaled ? TSimd.Multiply(right, scaleRight) : right, target + TSimd.Width);
                b += TFormat.StepBytes;
                target += 2 * TSimd.Width;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(float* c, TVector left, TVector right, bool accumulate)
    {
        Finish(c, left, accumulate);
        Finish(c + TSimd.Width, right, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(float* c, TVector sums, bool accumulate) =>
        TSimd.Store(accumulate ? TSimd.Add(TSimd.Load(c), sums) : sums, c);
}
