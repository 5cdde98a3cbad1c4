using System.Runtime.CompilerServices;

namespace Aries.Managed;

/// <summary>Sums and copies of whole rows, shared over a pool.</summary>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static class RowOperations
{
    /// <summary>Copies rows: y = x.</summary>
    /// <param name="x">Shape [T, H].</param>
    /// <param name="y">Receives the rows. Shape [T, H].</param>
    /// <param name="pool">Shares the rows.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static void Copy(Matrix x, Matrix y, WorkerPool pool)
    {
        Check(x.Rows == y.Rows && x.Columns == y.Columns, x, y.Rows, y.Columns);
        pool.RunBlocks(x.Rows, BlockRows.RowsPerBlock(x), (x, y), static (state, start, end) =>
        {
            for (int row = start; row < end; row++)
            {
                state.x.Row(row).CopyTo(state.y.Row(row));
            }
        });
    }

    /// <summary>Adds a bias to every row.</summary>
    /// <param name="bias">Shape [H].</param>
    /// <param name="y">Shape [T, H].</param>
    /// <param name="pool">Shares the rows.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static void AddBias(float[] bias, Matrix y, WorkerPool pool)
    {
        Check(bias.Length == y.Columns, y, 1, bias.Length);
        pool.RunBlocks(y.Rows, BlockRows.RowsPerBlock(y), (bias, y), static (state, start, end) =>
        {
            for (int row = start; row < end; row++)
            {
                RowKernels.Add(state.bias, state.y.Row(row));
            }
        });
    }

    /// <summary>Adds the sum over the rows, in their order: the gradient of a bias.</summary>
    /// <param name="x">Shape [T, H].</param>
    /// <param name="sum">Shape [H].</param>
    /// <param name="pool">Shares the columns.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static void AddRowsTo(Matrix x, float[] sum, WorkerPool pool)
    {
        Check(sum.Length == x.Columns, x, 1, sum.Length);
        pool.RunBlocks(x.Columns, BlockRows.ColumnsPerBlock(x), (x, sum), static (state, start, end) =>
        {
            for (int row = 0; row < state.x.Rows; row++)
            {
                RowKernels.Add(state.x.Row(row)[start..end], state.sum.AsSpan(start, end - start));
            }
        });
    }

    /// <summary>Copies a table's rows: yᵢ = table[indices[i]], as an embedding does.</summary>
    /// <param name="table">Shape [V, H].</param>
    /// <param name="indices">Each 0 to V − 1. Shape [T] or longer.</param>
    /// <param name="y">Receives the rows. Shape [T, H].</param>
    /// <param name="pool">Shares the rows.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row in the table.</exception>
    public static void Gather(Parameter table, int[] indices, Matrix y, WorkerPool pool)
    {
        Check(table.Columns == y.Columns && indices.Length >= y.Rows, y, table.Rows, table.Columns);
        pool.RunBlocks(y.Rows, BlockRows.RowsPerBlock(y), (table, indices, y), static (state, start, end) =>
        {
            for (int row = start; row < end; row++)
            {
                state.table.CopyRow(state.indices[row], state.y.Row(row));
            }
        });
    }

    /// <summary>Adds rows into a table's: table[indices[i]] += xᵢ in the order of i, the gradient of <see cref="Gather"/>.</summary>
    /// <param name="x">Shape [T, H].</param>
    /// <param name="indices">Each 0 to V − 1. Shape [T] or longer.</param>
    /// <param name="table">Shape [V, H].</param>
    /// <param name="pool">Shares the columns.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row in the table.</exception>
    public static void ScatterAdd(Matrix x, int[] indices, Matrix table, WorkerPool pool)
    {
        Check(table.Columns == x.Columns && indices.Length >= x.Rows, table, x.Rows, x.Columns);

        // Over columns: two rows may go to one index, and their sum must not depend on the threads.
        pool.RunBlocks(x.Columns, BlockRows.ColumnsPerBlock(x), (x, indices, table), static (state, start, end) =>
        {
            for (int row = 0; row < state.x.Rows; row++)
            {
                RowKernels.Add(state.x.Row(row)[start..end], state.table.Row(state.indices[row])[start..end]);
            }
        });
    }

    private static void Check(bool fits, Matrix matrix, int rows, int columns, [CallerMemberName] string operation = "")
    {
        if (!fits)
        {
            throw new ArgumentException($"{operation} cannot join the shapes [{matrix.Rows}, {matrix.Columns}] and [{rows}, {columns}], or indices are missing.");
        }
    }
}
