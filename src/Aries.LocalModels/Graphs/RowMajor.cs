namespace Aries;

/// <summary>Matrices that lie row after row.</summary>
internal static class RowMajor
{
    /// <summary>Returns the transpose of a matrix. Shape [rows, columns], then [columns, rows].</summary>
    public static float[] Transpose(ReadOnlySpan<float> values, int rows, int columns)
    {
        const int Tile = 16;
        float[] transposed = new float[values.Length];
        for (int row = 0; row < rows; row += Tile)
        {
            for (int column = 0; column < columns; column++)
            {
                for (int inner = row; inner < Math.Min(row + Tile, rows); inner++)
                {
                    transposed[(column * rows) + inner] = values[(inner * columns) + column];
                }
            }
        }

        return transposed;
    }
}
