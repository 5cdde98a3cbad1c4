namespace Aries.Managed;

/// <summary>What a product multiplies, and how its factors and its result lie.</summary>
internal readonly record struct Product(Matrix A, bool TransposeA, Matrix B, bool TransposeB, Matrix C, bool Accumulate)
{
    /// <summary>Gets whether the result is computed into the transpose of <see cref="C"/>.</summary>
    public bool TransposeC { get; init; }

    /// <summary>Gets the number of rows of the first factor after transposition.</summary>
    public int Rows => TransposeC ? C.Columns : C.Rows;

    /// <summary>Gets the number of columns of the second factor after transposition.</summary>
    public int Columns => TransposeC ? C.Rows : C.Columns;

    /// <summary>Gets the number of columns of the first factor after transposition.</summary>
    public int Depth => TransposeA ? A.Rows : A.Columns;

    /// <summary>Shows the part of some rows of the result.</summary>
    public Product RowRange(int start, int count) => this with
    {
        A = TransposeA ? A.ColumnRange(start, count) : A.RowRange(start, count),
        C = TransposeC ? C.ColumnRange(start, count) : C.RowRange(start, count),
    };

    /// <summary>Shows the part of some steps of the common length, which is added if others come before it.</summary>
    public Product DepthRange(int start, int count) => this with
    {
        A = TransposeA ? A.RowRange(start, count) : A.ColumnRange(start, count),
        B = TransposeB ? B.ColumnRange(start, count) : B.RowRange(start, count),
        Accumulate = Accumulate || start > 0,
    };

    /// <summary>Gets the same product with the factors in the other order: cᵀ = bᵀ·aᵀ. Every element is the same sum in the same order.</summary>
    public Product Swapped => new(B, !TransposeB, A, !TransposeA, C, Accumulate) { TransposeC = !TransposeC };
}
