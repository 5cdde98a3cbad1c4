namespace Aries.Managed.Tests;

/// <summary>The norm, the rotation, the gate and the embedding against float64 twins and finite differences.</summary>
public sealed class LayerKernelsTests
{
    private const float Epsilon = 1e-5f;

    private static readonly LlamaConfig Config = new()
    {
        ModelType = "llama",
        HiddenSize = 24,
        IntermediateSize = 32,
        LayerCount = 1,
        HeadCount = 2,
        KeyValueHeadCount = 1,
        HeadSize = 12,
        VocabularySize = 16,
        ContextLength = 1024,
        RmsNormEpsilon = Epsilon,
        RopeTheta = 10000,
        TieEmbeddings = true,
        EndTokenIds = [0],
    };

    private static Matrix Random(int seed, int rows, int columns)
    {
        Random random = new(seed);
        Matrix matrix = new(new float[3 + (rows * (columns + 5))], 3, rows, columns, columns + 5);
        for (int row = 0; row < rows; row++)
        {
            foreach (ref float value in matrix.Row(row))
            {
                value = (random.NextSingle() * 4) - 2;
            }
        }

        return matrix;
    }

    private static float[] Flat(Matrix matrix) => [.. Enumerable.Range(0, matrix.Rows).SelectMany(row => matrix.Row(row).ToArray())];

    private static double[] Doubles(Matrix matrix) => [.. Flat(matrix).Select(static value => (double)value)];

    [Theory]
    [InlineData(1, 3)]
    [InlineData(4, 37)]
    public void RmsNorm_AnyShape_IsTheScalarOneAndItsGradientTheFiniteDifference(int rows, int columns)
    {
        (Matrix x, Matrix y, Matrix upstream) = (Random(1, rows, columns), Random(2, rows, columns), Random(3, rows, columns));
        (Matrix xGradient, float[] weightGradient) = (Matrix.Zeros(rows, columns), new float[columns]);
        float[] weight = Random(4, 1, columns).Row(0).ToArray();
        float[] inverseRms = new float[rows];
        double[] Twin(double[] x, double[] w) => [.. x.Select((value, index) =>
        {
            int start = index / columns * columns;
            double square = 0;
            for (int j = 0; j < columns; j++)
            {
                square += x[start + j] * x[start + j];
            }

            return w[index - start] * value / Math.Sqrt((square / columns) + Epsilon);
        })];
        double Loss(double[] x, double[] w) => Twin(x, w).Zip(Flat(upstream)).Sum(static pair => pair.First * pair.Second);

        RmsNorm.Forward(x, weight, Epsilon, y, inverseRms, WorkerPool.Shared);
        float[] sums = [];
        RmsNorm.Backward(x, weight, inverseRms, upstream, xGradient, weightGradient, ref sums, WorkerPool.Shared);

        double[] weights = [.. weight.Select(static value => (double)value)];
        AssertClose(Twin(Doubles(x), weights), Flat(y), 1e-5);
        RowKernelsTests.AssertGradient(Doubles(x), Flat(xGradient), point => Loss(point, weights));
        RowKernelsTests.AssertGradient(weights, weightGradient, point => Loss(Doubles(x), point));
    }

    [Fact]
    public void RmsNorm_Backward_AddsToTheGradients()
    {
        (Matrix x, Matrix upstream) = (Random(1, 2, 9), Random(3, 2, 9));
        float[] weight = Random(4, 1, 9).Row(0).ToArray();
        float[] inverseRms = new float[2];
        RmsNorm.Forward(x, weight, Epsilon, Matrix.Zeros(2, 9), inverseRms, WorkerPool.Shared);
        (Matrix once, Matrix offset) = (Matrix.Zeros(2, 9), Matrix.Zeros(2, 9));
        (float[] weightOnce, float[] weightOffset) = (new float[9], new float[9]);
        offset.Array.AsSpan().Fill(2);
        weightOffset.AsSpan().Fill(2);
        float[] sums = [];

        RmsNorm.Backward(x, weight, inverseRms, upstream, once, weightOnce, ref sums, WorkerPool.Shared);
        RmsNorm.Backward(x, weight, inverseRms, upstream, offset, weightOffset, ref sums, WorkerPool.Shared);

        AssertClose([.. once.Array.Select(static value => value + 2.0)], offset.Array, 1e-5);
        AssertClose([.. weightOnce.Select(static value => value + 2.0)], weightOffset, 1e-5);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(40)]
    public void SwiGlu_AnyShape_IsTheScalarOneAndItsGradientTheFiniteDifference(int columns)
    {
        (Matrix gate, Matrix up, Matrix upstream) = (Random(5, 2, columns), Random(6, 2, columns), Random(7, 2, columns));
        (Matrix y, Matrix gateGradient, Matrix upGradient) = (Matrix.Zeros(2, columns), Matrix.Zeros(2, columns), Matrix.Zeros(2, columns));
        static double[] Twin(double[] g, double[] u) => [.. g.Zip(u, static (g, u) => g / (1 + Math.Exp(-g)) * u)];
        double Loss(double[] g, double[] u) => Twin(g, u).Zip(Flat(upstream)).Sum(static pair => pair.First * pair.Second);

        SwiGlu.Forward(gate, up, y, WorkerPool.Shared);
        SwiGlu.Backward(gate, up, upstream, gateGradient, upGradient, WorkerPool.Shared);

        AssertClose(Twin(Doubles(gate), Doubles(up)), y.Array, 1e-6);
        RowKernelsTests.AssertGradient(Doubles(gate), gateGradient.Array, point => Loss(point, Doubles(up)));
        RowKernelsTests.AssertGradient(Doubles(up), upGradient.Array, point => Loss(Doubles(gate), point));
    }

    [Fact]
    public void SwiGlu_InPlace_IsTheSame()
    {
        (Matrix gate, Matrix up, Matrix upstream) = (Random(5, 3, 21), Random(6, 3, 21), Random(7, 3, 21));
        (Matrix gateGradient, Matrix upGradient) = (Matrix.Zeros(3, 21), Matrix.Zeros(3, 21));
        SwiGlu.Backward(gate, up, upstream, gateGradient, upGradient, WorkerPool.Shared);

        SwiGlu.Backward(gate, up, upstream, gate, up, WorkerPool.Shared);

        Assert.Equal(gateGradient.Array, Flat(gate));
        Assert.Equal(upGradient.Array, Flat(up));
    }

    [Fact]
    public void RotaryTable_Forward_TurnsPairsByPositionTimesFrequency()
    {
        RotaryTable table = new(Config);
        Matrix x = Random(8, 3, 24);
        double[] before = Doubles(x);
        int[] positions = [0, 5, 700];
        double[] expected = new double[before.Length];
        for (int row = 0; row < 3; row++)
        {
            for (int head = 0; head < 24; head += 12)
            {
                for (int index = 0; index < 6; index++)
                {
                    // f = θ^(−2i/headSize); the pair is a complex number that is multiplied by exp(i·p·f).
                    double angle = positions[row] * Math.Pow(10000, -2.0 * index / 12);
                    System.Numerics.Complex turned = new System.Numerics.Complex(before[(row * 24) + head + index], before[(row * 24) + head + index + 6])
                        * System.Numerics.Complex.FromPolarCoordinates(1, angle);
                    expected[(row * 24) + head + index] = turned.Real;
                    expected[(row * 24) + head + index + 6] = turned.Imaginary;
                }
            }
        }

        table.Forward(x, positions, WorkerPool.Shared);

        AssertClose(expected, Flat(x), 1e-6);
    }

    [Fact]
    public void RotaryTable_Backward_UndoesForward()
    {
        RotaryTable table = new(Config);
        Matrix x = Random(9, 2, 12);
        double[] before = Doubles(x);

        table.Forward(x, [3, 900], WorkerPool.Shared);
        table.Backward(x, [3, 900], WorkerPool.Shared);

        AssertClose(before, Flat(x), 1e-6);
    }

    // Waves of θ = 10000 over 6 pairs are 2π·10000^(i/6) = 6.3, 29.2, 135, 628, 2915, 13528 positions long.
    // Kept below 64/4 = 16, slowed 8-fold above 64/1 = 64, and the second blended: (64/29.164 − 1) / (4 − 1) = 0.39814 of it kept.
    [Fact]
    public void RotaryTable_Llama3Scaling_SlowsLongWavesOnly()
    {
        RotaryTable plain = new(Config);
        RotaryTable scaled = new(Config with { RopeScaling = new Llama3RopeScaling(8, 1, 4, 64) });

        double[] ratios = [.. Enumerable.Range(0, 6).Select(index => scaled.Frequencies[index] / plain.Frequencies[index])];

        Assert.Equal(1, ratios[0], 1e-12);
        Assert.Equal(0.39814 + ((1 - 0.39814) / 8), ratios[1], 1e-4);
        Assert.All(ratios[2..], static ratio => Assert.Equal(0.125, ratio, 1e-12));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1024)]
    public void RotaryTable_PositionOutsideTheContext_Throws(int position) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new RotaryTable(Config).Forward(Matrix.Zeros(1, 12), [position], WorkerPool.Shared));

    [Fact]
    public void Gather_ThenScatterAdd_CountsRepeatedRows()
    {
        Parameter table = new("table", 5, 19, [.. Enumerable.Range(0, 5 * 19).Select(static index => index / 7f)]);
        (Matrix rows, Matrix gradient) = (Matrix.Zeros(4, 19), Matrix.Zeros(5, 19));
        int[] indices = [4, 1, 4, 0];

        RowOperations.Gather(table, indices, rows, WorkerPool.Shared);
        RowOperations.ScatterAdd(rows, indices, gradient, WorkerPool.Shared);

        for (int row = 0; row < 5; row++)
        {
            int count = indices.Count(index => index == row);
            Assert.Equal(Matrix.Of(table).Row(row).ToArray().Select(value => count * value), gradient.Row(row).ToArray());
        }
    }

    [Fact]
    public void Gather_IndexOutsideTheTable_Throws() =>
        Assert.Throws<ArgumentOutOfRangeException>(static () => RowOperations.Gather(new Parameter("table", 3, 2), [3], Matrix.Zeros(1, 2), WorkerPool.Shared));

    [Fact]
    public void AddBias_ThenAddRowsTo_SumsOverTheRows()
    {
        Matrix y = Matrix.Zeros(3, 11);
        float[] sum = new float[11];
        float[] bias = [.. Enumerable.Range(0, 11).Select(static index => (float)index)];

        RowOperations.AddBias(bias, y, WorkerPool.Shared);
        RowOperations.AddRowsTo(y, sum, WorkerPool.Shared);

        Assert.Equal(bias.Select(static value => 3 * value), sum);
    }

    private static void AssertClose(double[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int index = 0; index < expected.Length; index++)
        {
            Assert.Equal(expected[index], actual[index], tolerance);
        }
    }
}
