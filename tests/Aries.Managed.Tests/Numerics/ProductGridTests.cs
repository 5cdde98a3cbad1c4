using CsCheck;

namespace Aries.Managed.Tests;

public sealed class ProductGridTests
{
    private const int Panel = 32;
    private const int TileRows = 12;

    // All matrices are views of it: the grid reads sizes only.
    private static readonly float[] Values = new float[3000 * 3000];

    [Fact]
    public void Of_AnyProduct_CoversItWithItemsThatAreNotEmpty() =>
        (from rows in Gen.Int[1, 3000]
         from columns in Gen.Int[1, 3000]
         from depth in Gen.Int[1, 3000]
         from threads in Gen.Int[1, 9]
         from transposed in Gen.Bool
         from wholeTiles in Gen.Bool
         select (rows, columns, depth, threads, transposed, wholeTiles)).Sample(
            static x =>
            {
                ProductGrid grid = Cut(x.rows, x.columns, x.depth, x.threads, x.transposed, x.wholeTiles);

                int down = grid.Count / grid.Across;
                Assert.Equal(grid.Count, grid.Across * down);
                Assert.InRange(x.rows, ((down - 1) * grid.Rows) + 1, down * grid.Rows);
                Assert.InRange(x.columns, ((grid.Across - 1) * grid.Columns) + 1, grid.Across * grid.Columns);
                Assert.Equal(0, grid.Columns % Panel);
                Assert.True(!x.wholeTiles || grid.Rows % TileRows == 0);
            },
            iter: 2000,
            threads: 1);

    // Two threads that get three equal items take as long as one that gets two of them.
    [Theory]
    [InlineData(16, 576, 576, true)]
    [InlineData(16, 576, 576, false)]
    [InlineData(256, 576, 1536, false)]
    [InlineData(1024, 192, 576, false)]
    [InlineData(64, 1536, 576, true)]
    public void Of_TwoThreads_GivesBothTheSameNumberOfItems(int rows, int columns, int depth, bool transposed)
    {
        ProductGrid grid = Cut(transposed ? columns : rows, transposed ? rows : columns, depth, threads: 2, transposed);

        Assert.Equal(0, grid.Count % 2);
    }

    [Fact]
    public void Of_SmallProduct_IsOneItem() => Assert.Equal(1, Cut(16, 64, 64, threads: 8, transposed: false).Count);

    private static ProductGrid Cut(int rows, int columns, int depth, int threads, bool transposed, bool wholeTiles = false)
    {
        Matrix result = transposed ? new(Values, columns, rows) : new(Values, rows, columns);
        Product product = new(new(Values, rows, depth), false, new(Values, columns, depth), true, result, Accumulate: false) { TransposeC = transposed };
        return ProductGrid.Of(product, Panel, TileRows, wholeTiles, threads);
    }
}
