namespace Aries.Managed;

/// <summary>What a product multiplies, and how its factors lie.</summary>
internal readonly record struct Product(Matrix A, bool TransposeA, Matrix B, bool TransposeB, Matrix C, bool Accumulate)
{
    /// <summary>Gets the number of columns of the first factor after transposition.</summary>
    public int Depth => TransposeA ? A.Rows : A.Columns;
}
