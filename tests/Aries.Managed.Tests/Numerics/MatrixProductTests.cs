namespace Aries.Managed.Tests;

public sealed class MatrixProductTests
{
    private static Matrix Random(Random random, int rows, int columns)
    {
        Matrix matrix = new(new float[7 + (rows * (columns + 3))], 7, rows, columns, columns + 3);
        for (int row = 0; row < rows; row++)
        {
            foreach (ref float value in matrix.Row(row))
            {
                value = (random.NextSingle() * 2) - 1;
            }
        }

        return matrix;
    }

    [Fact]
    public void TimesTransposed_TwoByTwo_IsTheProductByHand()
    {
        Matrix c = Matrix.Zeros(2, 2);

        MatrixProduct.TimesTransposed(new([1, 2, 3, 4], 2, 2), new([5, 6, 7, 8], 2, 2), c, accumulate: false, WorkerPool.Shared);

        Assert.Equal([17f, 23f, 39f, 53f], c.Array);
    }

    [Fact]
    public void Products_SameFactorsTransposed_Agree()
    {
        Random random = new(1);
        Matrix a = Random(random, 13, 37);
        Matrix b = Random(random, 37, 29);
        (Matrix aTransposed, Matrix bTransposed) = (Transpose(a), Transpose(b));
        (Matrix x, Matrix y, Matrix z) = (Matrix.Zeros(13, 29), Matrix.Zeros(13, 29), Matrix.Zeros(13, 29));

        MatrixProduct.Times(a, b, x, accumulate: false, WorkerPool.Shared);
        MatrixProduct.TimesTransposed(a, bTransposed, y, accumulate: false, WorkerPool.Shared);
        MatrixProduct.TransposedTimes(aTransposed, b, z, accumulate: false, WorkerPool.Shared);

        for (int index = 0; index < x.Array.Length; index++)
        {
            Assert.Equal(x.Array[index], y.Array[index], 1e-5f);
            Assert.Equal(x.Array[index], z.Array[index], 1e-5f);
        }
    }

    private static Matrix Transpose(Matrix a)
    {
        Matrix result = Matrix.Zeros(a.Columns, a.Rows);
        for (int row = 0; row < a.Rows; row++)
        {
            for (int column = 0; column < a.Columns; column++)
            {
                result.Row(column)[row] = a.Row(row)[column];
            }
        }

        return result;
    }
}
