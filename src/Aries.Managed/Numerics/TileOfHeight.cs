using static Aries.Managed.RowCounts;

namespace Aries.Managed;

/// <summary>Runs a <see cref="ProductTile{TSimd, TVector}"/> of a height that is known only now.</summary>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static unsafe class TileOfHeight<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Gets the most rows of a wide tile, by the number of the processor's registers; a narrow one has twice as many.</summary>
    public static int MostRows => TSimd.Width == 16 || System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported ? 12 : 6;

    /// <summary>Computes a tile of <paramref name="height"/> rows, of which there are at most <see cref="MostRows"/>, or twice as many in a narrow one; the rest is as in the tile.</summary>
    public static void Multiply<TTile>(int height, nint depth, float* a, nint aRow, nint aStep, float* b, nint bStep, float* c, nint cRow, bool accumulate)
        where TTile : struct, ITileKind =>
        Multiply<TTile, ReadsNothingAhead>(height, depth, a, aRow, aStep, b, bStep, c, cRow, accumulate, null, 0);

    /// <summary>As the other, and asks for cache lines of what is read next.</summary>
    public static void Multiply<TTile, TAhead>(
        int height, nint depth, float* a, nint aRow, nint aStep, float* b, nint bStep, float* c, nint cRow, bool accumulate, byte* ahead, nint aheadStep)
        where TTile : struct, ITileKind
        where TAhead : struct, IReadAhead
    {
        if (aRow == 1)
        {
            Multiply<TTile, RowsSideBySide, TAhead>(height, depth, a, aRow, aStep, b, bStep, c, cRow, accumulate, ahead, aheadStep);
        }
        else
        {
            Multiply<TTile, RowsApart, TAhead>(height, depth, a, aRow, aStep, b, bStep, c, cRow, accumulate, ahead, aheadStep);
        }
    }

    private static void Multiply<TTile, TLayout, TAhead>(
        int height, nint depth, float* a, nint aRow, nint aStep, float* b, nint bStep, float* c, nint cRow, bool accumulate, byte* ahead, nint aheadStep)
        where TTile : struct, ITileKind
        where TLayout : struct, IRowLayout
        where TAhead : struct, IReadAhead
    {
        int rows = TTile.IsNarrow ? (height + 1) / 2 : height;
        int lower = height - rows;
        switch (rows)
        {
            case 1: ProductTile<TSimd, TVector>.Multiply<Rows1, TTile, TLayout, TAhead>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate, ahead, aheadStep); break;
            case 2: ProductTile<TSimd, TVector>.Multiply<Rows2, TTile, TLayout, TAhead>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate, ahead, aheadStep); break;
            case 3: ProductTile<TSimd, TVector>.Multiply<Rows3, TTile, TLayout, TAhead>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate, ahead, aheadStep); break;
            case 4: ProductTile<TSimd, TVector>.Multiply<Rows4, TTile, TLayout, TAhead>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate, ahead, aheadStep); break;
            case 5: ProductTile<TSimd, TVector>.Multiply<Rows5, TTile, TLayout, TAhead>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate, ahead, aheadStep); break;
            case 6: ProductTile<TSimd, TVector>.Multiply<Rows6, TTile, TLayout, TAhead>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate, ahead, aheadStep); break;
            case 7: ProductTile<TSimd, TVector>.Multiply<Rows7, TTile, TLayout, TAhead>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate, ahead, aheadStep); break;
            case 8: ProductTile<TSimd, TVector>.Multiply<Rows8, TTile, TLayout, TAhead>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate, ahead, aheadStep); break;
            case 9: ProductTile<TSimd, TVector>.Multiply<Rows9, TTile, TLayout, TAhead>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate, ahead, aheadStep); break;
            case 10: ProductTile<TSimd, TVector>.Multiply<Rows10, TTile, TLayout, TAhead>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate, ahead, aheadStep); break;
            case 11: ProductTile<TSimd, TVector>.Multiply<Rows11, TTile, TLayout, TAhead>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate, ahead, aheadStep); break;
            default: ProductTile<TSimd, TVector>.Multiply<Rows12, TTile, TLayout, TAhead>(depth, a, aRow, aStep, lower, b, bStep, c, cRow, accumulate, ahead, aheadStep); break;
        }
    }
}
