using System.Runtime.CompilerServices;

namespace Aries.Managed;

/// <summary>The innermost product: a tile of the result, kept in registers over a block of the factors' common length.</summary>
/// <remarks>
/// <para>
/// The limit is the processor's fused multiply-adds. A wide tile is up to 12 rows by two vectors: a step over k needs two of them a row, and one broadcast a row
/// and two loads in all, which fit beside them. A narrow one is up to 24 rows by one vector, for results no wider than that: one broadcast each, which just fits.
/// </para>
/// <para>Every element is one chain of fused multiply-adds in the order of k, so all vector widths, tiles and heights give the same bits.</para>
/// <para>Rows beyond <c>TRows.Count</c>, their registers and what belongs to the other kind of tile vanish when the method is compiled.</para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static unsafe class ProductTile<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>The columns of a wide tile.</summary>
    public static int Columns => 2 * TSimd.Width;

    /// <summary>Computes c[i, j] = Σₖ a[i, k]·b[k, j], or adds it. Asks for cache lines of what is read next meanwhile, where told to.</summary>
    /// <typeparam name="TRows">The tile's height; of a narrow tile half of it, rounded up.</typeparam>
    /// <typeparam name="TTile">Two vectors wide, or one vector wide and twice as high.</typeparam>
    /// <typeparam name="TLayout">How the rows of a lie.</typeparam>
    /// <typeparam name="TAhead">How many lines a step.</typeparam>
    /// <param name="depth">The number of steps over k.</param>
    /// <param name="a">a[0, 0].</param>
    /// <param name="aRow">The distance from a[i, k] to a[i + 1, k], in values.</param>
    /// <param name="aStep">The distance from a[i, k] to a[i, k + 1], in values.</param>
    /// <param name="lowerStart">The first row of a narrow tile's lower half: its height − <c>TRows.Count</c>. With an odd height the halves share that row.</param>
    /// <param name="b">b[0, 0]; a row is dense.</param>
    /// <param name="bStep">The distance between b's rows, in values.</param>
    /// <param name="c">c[0, 0].</param>
    /// <param name="cRow">The distance between c's rows, in values.</param>
    /// <param name="accumulate">Whether the sums are added to what c holds.</param>
    /// <param name="ahead">The first line.</param>
    /// <param name="aheadStep">The distance between two steps' lines, in bytes.</param>
    // Compiled at once and in full: a tile that ran unoptimised until it had tiered up would cost more than all else in a short training.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<TRows, TTile, TLayout, TAhead>(
        nint depth, float* a, nint aRow, nint aStep, int lowerStart, float* b, nint bStep, float* c, nint cRow, bool accumulate, byte* ahead, nint aheadStep)
        where TRows : struct, IRowCount
        where TTile : struct, ITileKind
        where TLayout : struct, IRowLayout
        where TAhead : struct, IReadAhead
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

        // Three rows share a pointer, reached with a scaled index: one for each row would not fit into the registers.
        float* a0 = a;
        float* a3 = a + (3 * aRow);
        float* a6 = a + (6 * aRow);
        float* a9 = a + (9 * aRow);
        float* l0 = a + (lowerStart * aRow);
        float* l3 = l0 + (3 * aRow);
        float* l6 = l0 + (6 * aRow);
        float* l9 = l0 + (9 * aRow);
        for (nint step = 0; step < depth; step++)
        {
            TVector left = TSimd.Load(b);
            TVector right = TTile.IsNarrow ? left : TSimd.Load(b + TSimd.Width);
            b += bStep;
            if (TAhead.LineCount > 0)
            {
                CacheLine.RequestEarly(ahead);
                if (TAhead.LineCount > 1)
                {
                    CacheLine.RequestEarly(ahead + CacheLine.Bytes);
                }

                ahead += aheadStep;
            }

            {
                TVector factor = TSimd.Broadcast(a0);
                left0 = TSimd.MultiplyAdd(factor, left, left0);
                factor = TTile.IsNarrow ? TSimd.Broadcast(l0) : factor;
                right0 = TSimd.MultiplyAdd(factor, right, right0);
            }

            if (TRows.Count > 1)
            {
                TVector factor = TSimd.Broadcast(TLayout.IsSideBySide ? a0 + 1 : a0 + aRow);
                left1 = TSimd.MultiplyAdd(factor, left, left1);
                factor = TTile.IsNarrow ? TSimd.Broadcast(TLayout.IsSideBySide ? l0 + 1 : l0 + aRow) : factor;
                right1 = TSimd.MultiplyAdd(factor, right, right1);
            }

            if (TRows.Count > 2)
            {
                TVector factor = TSimd.Broadcast(TLayout.IsSideBySide ? a0 + 2 : a0 + (2 * aRow));
                left2 = TSimd.MultiplyAdd(factor, left, left2);
                factor = TTile.IsNarrow ? TSimd.Broadcast(TLayout.IsSideBySide ? l0 + 2 : l0 + (2 * aRow)) : factor;
                right2 = TSimd.MultiplyAdd(factor, right, right2);
            }

            if (TRows.Count > 3)
            {
                TVector factor = TSimd.Broadcast(TLayout.IsSideBySide ? a0 + 3 : a3);
                left3 = TSimd.MultiplyAdd(factor, left, left3);
                factor = TTile.IsNarrow ? TSimd.Broadcast(TLayout.IsSideBySide ? l0 + 3 : l3) : factor;
                right3 = TSimd.MultiplyAdd(factor, right, right3);
            }

            if (TRows.Count > 4)
            {
                TVector factor = TSimd.Broadcast(TLayout.IsSideBySide ? a0 + 4 : a3 + aRow);
                left4 = TSimd.MultiplyAdd(factor, left, left4);
                factor = TTile.IsNarrow ? TSimd.Broadcast(TLayout.IsSideBySide ? l0 + 4 : l3 + aRow) : factor;
                right4 = TSimd.MultiplyAdd(factor, right, right4);
            }

            if (TRows.Count > 5)
            {
                TVector factor = TSimd.Broadcast(TLayout.IsSideBySide ? a0 + 5 : a3 + (2 * aRow));
                left5 = TSimd.MultiplyAdd(factor, left, left5);
                factor = TTile.IsNarrow ? TSimd.Broadcast(TLayout.IsSideBySide ? l0 + 5 : l3 + (2 * aRow)) : factor;
                right5 = TSimd.MultiplyAdd(factor, right, right5);
            }

            if (TRows.Count > 6)
            {
                TVector factor = TSimd.Broadcast(TLayout.IsSideBySide ? a0 + 6 : a6);
                left6 = TSimd.MultiplyAdd(factor, left, left6);
                factor = TTile.IsNarrow ? TSimd.Broadcast(TLayout.IsSideBySide ? l0 + 6 : l6) : factor;
                right6 = TSimd.MultiplyAdd(factor, right, right6);
            }

            if (TRows.Count > 7)
            {
                TVector factor = TSimd.Broadcast(TLayout.IsSideBySide ? a0 + 7 : a6 + aRow);
                left7 = TSimd.MultiplyAdd(factor, left, left7);
                factor = TTile.IsNarrow ? TSimd.Broadcast(TLayout.IsSideBySide ? l0 + 7 : l6 + aRow) : factor;
                right7 = TSimd.MultiplyAdd(factor, right, right7);
            }

            if (TRows.Count > 8)
            {
                TVector factor = TSimd.Broadcast(TLayout.IsSideBySide ? a0 + 8 : a6 + (2 * aRow));
                left8 = TSimd.MultiplyAdd(factor, left, left8);
                factor = TTile.IsNarrow ? TSimd.Broadcast(TLayout.IsSideBySide ? l0 + 8 : l6 + (2 * aRow)) : factor;
                right8 = TSimd.MultiplyAdd(factor, right, right8);
            }

            if (TRows.Count > 9)
            {
                TVector factor = TSimd.Broadcast(TLayout.IsSideBySide ? a0 + 9 : a9);
                left9 = TSimd.MultiplyAdd(factor, left, left9);
                factor = TTile.IsNarrow ? TSimd.Broadcast(TLayout.IsSideBySide ? l0 + 9 : l9) : factor;
                right9 = TSimd.MultiplyAdd(factor, right, right9);
            }

            if (TRows.Count > 10)
            {
                TVector factor = TSimd.Broadcast(TLayout.IsSideBySide ? a0 + 10 : a9 + aRow);
                left10 = TSimd.MultiplyAdd(factor, left, left10);
                factor = TTile.IsNarrow ? TSimd.Broadcast(TLayout.IsSideBySide ? l0 + 10 : l9 + aRow) : factor;
                right10 = TSimd.MultiplyAdd(factor, right, right10);
            }

            if (TRows.Count > 11)
            {
                TVector factor = TSimd.Broadcast(TLayout.IsSideBySide ? a0 + 11 : a9 + (2 * aRow));
                left11 = TSimd.MultiplyAdd(factor, left, left11);
                factor = TTile.IsNarrow ? TSimd.Broadcast(TLayout.IsSideBySide ? l0 + 11 : l9 + (2 * aRow)) : factor;
                right11 = TSimd.MultiplyAdd(factor, right, right11);
            }

            a0 += aStep;
            l0 += aStep;
            if (TRows.Count > 3)
            {
                a3 += aStep;
                l3 += aStep;
            }

            if (TRows.Count > 6)
            {
                a6 += aStep;
                l6 += aStep;
            }

            if (TRows.Count > 9)
            {
                a9 += aStep;
                l9 += aStep;
            }
        }

        // The lower half's first row is the upper half's last if they share it: it must not be added twice.
        float* lower = TTile.IsNarrow ? c + (lowerStart * cRow) : c + TSimd.Width;
        Finish(c, left0, accumulate);
        if (!TTile.IsNarrow || lowerStart == TRows.Count)
        {
            Finish(lower, right0, accumulate);
        }

        if (TRows.Count > 1)
        {
            Finish(c + cRow, left1, accumulate);
            Finish(lower + cRow, right1, accumulate);
        }

        if (TRows.Count > 2)
        {
            Finish(c + (2 * cRow), left2, accumulate);
            Finish(lower + (2 * cRow), right2, accumulate);
        }

        if (TRows.Count > 3)
        {
            Finish(c + (3 * cRow), left3, accumulate);
            Finish(lower + (3 * cRow), right3, accumulate);
        }

        if (TRows.Count > 4)
        {
            Finish(c + (4 * cRow), left4, accumulate);
            Finish(lower + (4 * cRow), right4, accumulate);
        }

        if (TRows.Count > 5)
        {
            Finish(c + (5 * cRow), left5, accumulate);
            Finish(lower + (5 * cRow), right5, accumulate);
        }

        if (TRows.Count > 6)
        {
            Finish(c + (6 * cRow), left6, accumulate);
            Finish(lower + (6 * cRow), right6, accumulate);
        }

        if (TRows.Count > 7)
        {
            Finish(c + (7 * cRow), left7, accumulate);
            Finish(lower + (7 * cRow), right7, accumulate);
        }

        if (TRows.Count > 8)
        {
            Finish(c + (8 * cRow), left8, accumulate);
            Finish(lower + (8 * cRow), right8, accumulate);
        }

        if (TRows.Count > 9)
        {
            Finish(c + (9 * cRow), left9, accumulate);
            Finish(lower + (9 * cRow), right9, accumulate);
        }

        if (TRows.Count > 10)
        {
            Finish(c + (10 * cRow), left10, accumulate);
            Finish(lower + (10 * cRow), right10, accumulate);
        }

        if (TRows.Count > 11)
        {
            Finish(c + (11 * cRow), left11, accumulate);
            Finish(lower + (11 * cRow), right11, accumulate);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(float* c, TVector sum, bool accumulate) =>
        TSimd.Store(accumulate ? TSimd.Add(TSimd.Load(c), sum) : sum, c);
}
