using System.Runtime.CompilerServices;

namespace Aries.Managed;

/// <summary>The innermost product of a few rows and packed weights, which are widened in registers: every weight is read once, and nothing is written but results.</summary>
/// <remarks>
/// The limit is memory. One row and one panel are two chains of fused multiply-adds, which wait for each other's latency longer than the bytes take to come, so
/// two panels are read side by side. An element is the chain that <see cref="ProductTile{TSimd, TVector}"/> computes from the widened weights, bit for bit.
/// </remarks>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static unsafe class StreamedTile<TSimd, TVector, TFormat>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TFormat : struct, IPanelFormat<TVector>
{
    /// <summary>The most rows of a tile.</summary>
    public const int MaxRows = 4;

    /// <summary>Computes c[i, j] = Σₖ a[i, k]·w[k, j] over one panel or two, or adds it.</summary>
    /// <param name="depth">The number of steps over k.</param>
    /// <param name="a">a[0, 0]; a row is dense.</param>
    /// <param name="aRow">The distance between a's rows, in values.</param>
    /// <param name="b">The first panel's first step, or the scales before it.</param>
    /// <param name="end">The end of the first panel.</param>
    /// <param name="panelBytes">The distance to the second panel.</param>
    /// <param name="readAhead">How far ahead of the computation memory is asked for, in bytes of a panel.</param>
    /// <param name="c">c[0, 0]; the second panel's columns follow the first one's.</param>
    /// <param name="cRow">The distance between c's rows, in values.</param>
    /// <param name="accumulate">Whether the sums are added to what c holds.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<TRows, TPanels>(nint depth, float* a, nint aRow, byte* b, byte* end, nint panelBytes, nint readAhead, float* c, nint cRow, bool accumulate)
        where TRows : struct, IRowCount
        where TPanels : struct, IRowCount
    {
        TVector left0 = default, right0 = default, nextLeft0 = default, nextRight0 = default;
        TVector left1 = default, right1 = default, nextLeft1 = default, nextRight1 = default;
        TVector left2 = default, right2 = default, nextLeft2 = default, nextRight2 = default;
        TVector left3 = default, right3 = default, nextLeft3 = default, nextRight3 = default;
        TVector scaleLeft = default, scaleRight = default, nextScaleLeft = default, nextScaleRight = default;

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
                TVector left = TFormat.LoadLeft(b);
                TVector right = TFormat.LoadRight(b);
                TVector nextLeft = TPanels.Count > 1 ? TFormat.LoadLeft(next) : default;
                TVector nextRight = TPanels.Count > 1 ? TFormat.LoadRight(next) : default;
                b += TFormat.StepBytes;
                next += TFormat.StepBytes;
                if (TFormat.IsScaled)
                {
                    left = TSimd.Multiply(left, scaleLeft);
                    right = TSimd.Multiply(right, scaleRight);
                    if (TPanels.Count > 1)
                    {
                        nextLeft = TSimd.Multiply(nextLeft, nextScaleLeft);
                        nextRight = TSimd.Multiply(nextRight, nextScaleRight);
                    }
                }

                {
                    TVector factor = TSimd.Broadcast(a);
                    left0 = TSimd.MultiplyAdd(factor, left, left0);
                    right0 = TSimd.MultiplyAdd(factor, right, right0);
                    if (TPanels.Count > 1)
                    {
                        nextLeft0 = TSimd.MultiplyAdd(factor, nextLeft, nextLeft0);
                        nextRight0 = TSimd.MultiplyAdd(factor, nextRight, nextRight0);
                    }
                }

                if (TRows.Count > 1)
                {
                    TVector factor = TSimd.Broadcast(a + aRow);
                    left1 = TSimd.MultiplyAdd(factor, left, left1);
                    right1 = TSimd.MultiplyAdd(factor, right, right1);
                    if (TPanels.Count > 1)
                    {
                        nextLeft1 = TSimd.MultiplyAdd(factor, nextLeft, nextLeft1);
                        nextRight1 = TSimd.MultiplyAdd(factor, nextRight, nextRight1);
                    }
                }

                if (TRows.Count > 2)
                {
                    TVector factor = TSimd.Broadcast(a + (2 * aRow));
                    left2 = TSimd.MultiplyAdd(factor, left, left2);
                    right2 = TSimd.MultiplyAdd(factor, right, right2);
                    if (TPanels.Count > 1)
                    {
                        nextLeft2 = TSimd.MultiplyAdd(factor, nextLeft, nextLeft2);
                        nextRight2 = TSimd.MultiplyAdd(factor, nextRight, nextRight2);
                    }
                }

                if (TRows.Count > 3)
                {
                    TVector factor = TSimd.Broadcast(a + (3 * aRow));
                    left3 = TSimd.MultiplyAdd(factor, left, left3);
                    right3 = TSimd.MultiplyAdd(factor, right, right3);
                    if (TPanels.Count > 1)
                    {
                        nextLeft3 = TSimd.MultiplyAdd(factor, nextLeft, nextLeft3);
                        nextRight3 = TSimd.MultiplyAdd(factor, nextRight, nextRight3);
                    }
                }

                a++;
            }
        }

        Finish<TPanels>(c, left0, right0, nextLeft0, nextRight0, accumulate);

        if (TRows.Count > 1)
        {
            Finish<TPanels>(c + cRow, left1, right1, nextLeft1, nextRight1, accumulate);
        }

        if (TRows.Count > 2)
        {
            Finish<TPanels>(c + (2 * cRow), left2, right2, nextLeft2, nextRight2, accumulate);
        }

        if (TRows.Count > 3)
        {
            Finish<TPanels>(c + (3 * cRow), left3, right3, nextLeft3, nextRight3, accumulate);
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
    private static void Finish<TPanels>(float* c, TVector left, TVector right, TVector nextLeft, TVector nextRight, bool accumulate)
        where TPanels : struct, IRowCount
    {
        Finish(c, left, accumulate);
        Finish(c + TSimd.Width, right, accumulate);
        if (TPanels.Count > 1)
        {
            Finish(c + (2 * TSimd.Width), nextLeft, accumulate);
            Finish(c + (3 * TSimd.Width), nextRight, accumulate);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(float* c, TVector sums, bool accumulate) =>
        TSimd.Store(accumulate ? TSimd.Add(TSimd.Load(c), sums) : sums, c);
}
