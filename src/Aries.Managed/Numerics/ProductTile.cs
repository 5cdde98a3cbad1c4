using System.Runtime.CompilerServices;

namespace Aries.Managed;

/// <summary>The innermost product: a tile of a few rows by two vectors, kept in registers over a block of the factors' common length.</summary>
/// <remarks>
/// <para>
/// The limit is the processor's fused multiply-adds: a step over k needs two of them a row, and one broadcast a row and two loads in all, which fit beside them.
/// Every element is one chain of fused multiply-adds in the order of k, so all vector widths and tile heights give the same bits.
/// </para>
/// <para>Rows beyond <c>TRows.Count</c> and their registers vanish when the method is compiled for a height.</para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static unsafe class ProductTile<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>The columns of a tile.</summary>
    public static int Columns => 2 * TSimd.Width;

    /// <summary>Computes c[i, j] = Σₖ a[i, k]·b[k, j], or adds it.</summary>
    /// <param name="depth">The number of steps over k.</param>
    /// <param name="a">a[0, 0]; a row is dense.</param>
    /// <param name="aRow">The distance from a[i, k] to a[i + 1, k], in values.</param>
    /// <param name="b">b, dense. Shape [depth, Columns].</param>
    /// <param name="c">c[0, 0].</param>
    /// <param name="cRow">The distance between c's rows, in values.</param>
    /// <param name="accumulate">Whether the sums are added to what c holds.</param>
    // Compiled at once and in full: a tile that ran unoptimised until it had tiered up would cost more than all else in a short training.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<TRows>(nint depth, float* a, nint aRow, float* b, float* c, nint cRow, bool accumulate)
        where TRows : struct, IRowCount
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

        // Three rows share a pointer, reached with a scaled index: twelve pointers would not fit into the registers.
        float* a0 = a;
        float* a3 = a + (3 * aRow);
        float* a6 = a + (6 * aRow);
        float* a9 = a + (9 * aRow);
        for (nint step = 0; step < depth; step++)
        {
            TVector left = TSimd.Load(b);
            TVector right = TSimd.Load(b + TSimd.Width);
            b += 2 * TSimd.Width;
            {
                TVector factor = TSimd.Broadcast(a0);
                left0 = TSimd.MultiplyAdd(factor, left, left0);
                right0 = TSimd.MultiplyAdd(factor, right, right0);
            }

            if (TRows.Count > 1)
            {
                TVector factor = TSimd.Broadcast(a0 + aRow);
                left1 = TSimd.MultiplyAdd(factor, left, left1);
                right1 = TSimd.MultiplyAdd(factor, right, right1);
            }

            if (TRows.Count > 2)
            {
                TVector factor = TSimd.Broadcast(a0 + (2 * aRow));
                left2 = TSimd.MultiplyAdd(factor, left, left2);
                right2 = TSimd.MultiplyAdd(factor, right, right2);
            }

            if (TRows.Count > 3)
            {
                TVector factor = TSimd.Broadcast(a3);
                left3 = TSimd.MultiplyAdd(factor, left, left3);
                right3 = TSimd.MultiplyAdd(factor, right, right3);
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

            if (TRows.Count > 6)
            {
                TVector factor = TSimd.Broadcast(a6);
                left6 = TSimd.MultiplyAdd(factor, left, left6);
                right6 = TSimd.MultiplyAdd(factor, right, right6);
            }

            if (TRows.Count > 7)
            {
                TVector factor = TSimd.Broadcast(a6 + aRow);
                left7 = TSimd.MultiplyAdd(factor, left, left7);
                right7 = TSimd.MultiplyAdd(factor, right, right7);
            }

            if (TRows.Count > 8)
            {
                TVector factor = TSimd.Broadcast(a6 + (2 * aRow));
                left8 = TSimd.MultiplyAdd(factor, left, left8);
                right8 = TSimd.MultiplyAdd(factor, right, right8);
            }

            if (TRows.Count > 9)
            {
                TVector factor = TSimd.Broadcast(a9);
                left9 = TSimd.MultiplyAdd(factor, left, left9);
                right9 = TSimd.MultiplyAdd(factor, right, right9);
            }

            if (TRows.Count > 10)
            {
                TVector factor = TSimd.Broadcast(a9 + aRow);
                left10 = TSimd.MultiplyAdd(factor, left, left10);
                right10 = TSimd.MultiplyAdd(factor, right, right10);
            }

            if (TRows.Count > 11)
            {
                TVector factor = TSimd.Broadcast(a9 + (2 * aRow));
                left11 = TSimd.MultiplyAdd(factor, left, left11);
                right11 = TSimd.MultiplyAdd(factor, right, right11);
            }

            a0++;
            if (TRows.Count > 3)
            {
                a3++;
            }

            if (TRows.Count > 6)
            {
                a6++;
            }

            if (TRows.Count > 9)
            {
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

        if (TRows.Count > 6)
        {
            Finish(c + (6 * cRow), left6, right6, accumulate);
        }

        if (TRows.Count > 7)
        {
            Finish(c + (7 * cRow), left7, right7, accumulate);
        }

        if (TRows.Count > 8)
        {
            Finish(c + (8 * cRow), left8, right8, accumulate);
        }

        if (TRows.Count > 9)
        {
            Finish(c + (9 * cRow), left9, right9, accumulate);
        }

        if (TRows.Count > 10)
        {
            Finish(c + (10 * cRow), left10, right10, accumulate);
        }

        if (TRows.Count > 11)
        {
            Finish(c + (11 * cRow), left11, right11, accumulate);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(float* c, TVector left, TVector right, bool accumulate)
    {
        if (accumulate)
        {
            left = TSimd.Add(TSimd.Load(c), left);
            right = TSimd.Add(TSimd.Load(c + TSimd.Width), right);
        }

        TSimd.Store(left, c);
        TSimd.Store(right, c + TSimd.Width);
    }
}
