using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <summary>Copies parts of a factor into the order in which a tile reads them.</summary>
/// <remarks>The copies lie densely in the nearest cache, whatever the factor's stride.</remarks>
/// <threadsafety>Every member may be called concurrently; the buffers belong to the calling thread.</threadsafety>
internal static unsafe class Packing<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Copies a rectangle: target[i, j] = source[i, j].</summary>
    /// <param name="source">source[0, 0].</param>
    /// <param name="sourceRow">The distance between the source's rows.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="columns">The values of each row.</param>
    /// <param name="target">Receives the rows.</param>
    /// <param name="targetRow">The distance between the target's rows.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Copy(float* source, nint sourceRow, int rows, int columns, float* target, nint targetRow)
    {
        for (int row = 0; row < rows; row++)
        {
            int column = 0;
            for (; column + TSimd.Width <= columns; column += TSimd.Width)
            {
                TSimd.Store(TSimd.Load(source + column), target + column);
            }

            for (; column + 4 <= columns; column += 4)
            {
                Vector128.Load(source + column).Store(target + column);
            }

            for (; column < columns; column++)
            {
                target[column] = source[column];
            }

            source += sourceRow;
            target += targetRow;
        }
    }

    /// <summary>Adds a rectangle: target[i, j] += source[i, j].</summary>
    /// <param name="source">source[0, 0].</param>
    /// <param name="sourceRow">The distance between the source's rows.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="columns">The values of each row.</param>
    /// <param name="target">Receives the sums.</param>
    /// <param name="targetRow">The distance between the target's rows.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add(float* source, nint sourceRow, int rows, int columns, float* target, nint targetRow)
    {
        for (int row = 0; row < rows; row++)
        {
            int column = 0;
            for (; column + TSimd.Width <= columns; column += TSimd.Width)
            {
                TSimd.Store(TSimd.Add(TSimd.Load(target + column), TSimd.Load(source + column)), target + column);
            }

            for (; column + 4 <= columns; column += 4)
            {
                (Vector128.Load(target + column) + Vector128.Load(source + column)).Store(target + column);
            }

            for (; column < columns; column++)
            {
                target[column] += source[column];
            }

            source += sourceRow;
            target += targetRow;
        }
    }

    /// <summary>Copies rows into columns: target[j, i] = source[i, j].</summary>
    /// <param name="source">source[0, 0].</param>
    /// <param name="sourceRow">The distance between the source's rows.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="columns">The values of each row.</param>
    /// <param name="target">Receives the columns.</param>
    /// <param name="targetRow">The distance between the target's rows.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(float* source, nint sourceRow, int rows, int columns, float* target, nint targetRow)
    {
        int row = 0;
        for (; row + TSimd.Width <= rows; row += TSimd.Width)
        {
            float* from = source + (row * sourceRow);
            float* to = target + row;
            int column = 0;
            for (; column + TSimd.Width <= columns; column += TSimd.Width)
            {
                TSimd.Transpose(from + column, sourceRow, to + (column * targetRow), targetRow);
            }

            TransposeByFours(from + column, sourceRow, TSimd.Width, columns - column, to + (column * targetRow), targetRow);
        }

        TransposeByFours(source + (row * sourceRow), sourceRow, rows - row, columns, target + row, targetRow);
    }

    /// <summary>Copies the few rows of a tile into columns: target[j, i] = source[i, j].</summary>
    /// <param name="source">source[0, 0].</param>
    /// <param name="sourceRow">The distance between the source's rows.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="columns">The values of each row.</param>
    /// <param name="target">Receives the columns.</param>
    /// <param name="targetRow">The distance between the target's rows.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TransposeFew(float* source, nint sourceRow, int rows, int columns, float* target, nint targetRow)
    {
        if (rows < 4)
        {
            TransposeByFours(source, sourceRow, rows, columns, target, targetRow);
            return;
        }

        // Eights and fours of rows; the last four may be rows that were copied before.
        int row = 0;
        for (; row + 8 <= rows; row += 8)
        {
            float* from = source + (row * sourceRow);
            float* to = target + row;
            int column = 0;
            for (; column + 8 <= columns; column += 8)
            {
                Simd256.Transpose(from + column, sourceRow, to + (column * targetRow), targetRow);
            }

            TransposeByFours(from + column, sourceRow, 8, columns - column, to + (column * targetRow), targetRow);
        }

        for (; row < rows; row += 4)
        {
            row = Math.Min(row, rows - 4);
            TransposeByFours(source + (row * sourceRow), sourceRow, 4, columns, target + row, targetRow);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposeByFours(float* source, nint sourceRow, int rows, int columns, float* target, nint targetRow)
    {
        int row = 0;
        for (; row + 4 <= rows; row += 4)
        {
            float* from = source + (row * sourceRow);
            float* to = target + row;
            int column = 0;
            for (; column + 4 <= columns; column += 4)
            {
                Simd128.Transpose(from + column, sourceRow, to + (column * targetRow), targetRow);
            }

            TransposeSingly(from + column, sourceRow, 4, columns - column, to + (column * targetRow), targetRow);
        }

        TransposeSingly(source + (row * sourceRow), sourceRow, rows - row, columns, target + row, targetRow);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposeSingly(float* source, nint sourceRow, int rows, int columns, float* target, nint targetRow)
    {
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                target[(column * targetRow) + row] = source[(row * sourceRow) + column];
            }
        }
    }
}
