namespace Aries.Managed;

/// <summary>A row-major view of a part of a float array.</summary>
/// <threadsafety>The view is immutable; what it shows is not guarded.</threadsafety>
internal readonly struct Matrix
{
    /// <summary>Initialises a view of rows that lie <paramref name="stride"/> values apart.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative, the stride is below the columns, or the view leaves the array.</exception>
    public Matrix(float[] array, int offset, int rows, int columns, int stride)
    {
        ArgumentNullException.ThrowIfNull(array);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        ArgumentOutOfRangeException.ThrowIfLessThan(stride, columns);
        long end = rows == 0 ? offset : offset + ((rows - 1L) * stride) + columns;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(end, array.Length, nameof(array));
        (Array, Offset, Rows, Columns, Stride) = (array, offset, rows, columns, stride);
    }

    /// <summary>Initialises a view of dense rows from the array's start.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative, or the view leaves the array.</exception>
    public Matrix(float[] array, int rows, int columns)
        : this(array, 0, rows, columns, columns)
    {
    }

    public float[] Array { get; }

    public int Offset { get; }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>Gets the distance between the starts of two rows, in values; at least <see cref="Columns"/>.</summary>
    public int Stride { get; }

    /// <summary>Shows a tensor of weights as it is stored.</summary>
    public static Matrix Of(Parameter parameter) => new(parameter.Values, parameter.Rows, parameter.Columns);

    public static implicit operator Matrix(Parameter parameter) => Of(parameter);

    /// <summary>Allocates a dense matrix of zeros.</summary>
    public static Matrix Zeros(int rows, int columns) => new(new float[checked(rows * columns)], rows, columns);

    /// <summary>Shows one row.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public Span<float> Row(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Rows, nameof(index));
        return Array.AsSpan(Offset + (index * Stride), Columns);
    }

    /// <summary>Shows <paramref name="count"/> rows from <paramref name="start"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The rows are not all there.</exception>
    public Matrix RowRange(int start, int count)
    {
        CheckRange(start, count, Rows);
        return new Matrix(Array, count == 0 ? Offset : Offset + (start * Stride), count, Columns, Stride);
    }

    /// <summary>Shows <paramref name="count"/> columns from <paramref name="start"/>, with the same stride.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The columns are not all there.</exception>
    public Matrix ColumnRange(int start, int count)
    {
        CheckRange(start, count, Columns);
        return new Matrix(Array, Rows == 0 ? Offset : Offset + start, Rows, count, Stride);
    }

    /// <summary>Sets every value of the view to 0.</summary>
    public void Clear()
    {
        if (Stride == Columns)
        {
            Array.AsSpan(Offset, Rows * Columns).Clear();
            return;
        }

        for (int row = 0; row < Rows; row++)
        {
            Row(row).Clear();
        }
    }

    private static void CheckRange(int start, int count, int available)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, available - start);
    }
}
