namespace Aries.Managed.Tests;

public sealed class OutputHeadTests : IDisposable
{
    private const int RowCount = 70;

    private readonly WorkerPool _pool = new(2);
    private readonly LlamaWeights _weights = TestModels.Random(TestModels.SmallConfig, seed: 1);
    private readonly Matrix _hidden = Matrix.Zeros(RowCount, TestModels.SmallConfig.HiddenSize);

    public OutputHeadTests()
    {
        Random random = new(2);
        for (int i = 0; i < _hidden.Array.Length; i++)
        {
            _hidden.Array[i] = (float)(4 * random.NextDouble()) - 2;
        }
    }

    public void Dispose() => _pool.Dispose();

    // The scalar twin: float64 logits, their log-softmax, and its derivative, straight from the definition.
    [Theory]
    [InlineData(1)]
    [InlineData(20 * 37)]
    [InlineData(1 << 20)]
    public void LogProbabilities_AnyChunk_AgreesWithTheDefinition(int logitBudget)
    {
        ScoredItem[] items = Items();
        double[] actual = new double[items.Length];
        OutputHead head = new(_weights, _pool, logitBudget);

        double entropy = head.LogProbabilities(_hidden, items, actual);

        double[][] distributions = [.. Enumerable.Range(0, RowCount).Select(LogSoftmax)];
        for (int i = 0; i < items.Length; i++)
        {
            Assert.Equal(distributions[items[i].Row][items[i].Target], actual[i], 1e-5);
        }

        int[] rows = [.. items.Select(item => item.Row).Distinct()];
        Assert.Equal(rows.Length, head.RowCount);
        Assert.Equal(rows.Average(row => -distributions[row].Sum(value => Math.Exp(value) * value)), entropy, 1e-5);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1 << 20)]
    public void Backward_AnyChunk_AgreesWithTheDefinition(int logitBudget)
    {
        ScoredItem[] items = Items();
        double[] coefficients = [.. items.Select((_, i) => Math.Sin(i))];
        OutputHead head = new(_weights, _pool, logitBudget);
        Matrix hiddenGradient = Matrix.Zeros(RowCount, _hidden.Columns);
        Parameter weightGradient = new("lm_head.weight", _weights.Head.Rows, _weights.Head.Columns);
        head.LogProbabilities(_hidden, items, new double[items.Length]);

        head.Backward(_hidden, coefficients, hiddenGradient, weightGradient);

        double[,] logitGradient = new double[RowCount, _weights.Head.Rows];
        for (int i = 0; i < items.Length; i++)
        {
            double[] logs = LogSoftmax(items[i].Row);
            for (int token = 0; token < logs.Length; token++)
            {
                logitGradient[items[i].Row, token] += coefficients[i] * ((token == items[i].Target ? 1 : 0) - Math.Exp(logs[token]));
            }
        }

        for (int column = 0; column < _hidden.Columns; column++)
        {
            for (int row = 0; row < RowCount; row++)
            {
                double expected = Enumerable.Range(0, _weights.Head.Rows).Sum(token => logitGradient[row, token] * _weights.Head.Values[(token * _hidden.Columns) + column]);
                Assert.Equal(expected, hiddenGradient.Row(row)[column], 1e-5);
            }

            for (int token = 0; token < _weights.Head.Rows; token++)
            {
                double expected = Enumerable.Range(0, RowCount).Sum(row => logitGradient[row, token] * _hidden.Row(row)[column]);
                Assert.Equal(expected, weightGradient.Values[(token * _hidden.Columns) + column], 5e-5);
            }
        }
    }

    [Fact]
    public void LogProbabilities_Chunks_ChangeNoBit()
    {
        ScoredItem[] items = Items();
        double[] whole = new double[items.Length];
        double[] chunked = new double[items.Length];

        new OutputHead(_weights, _pool).LogProbabilities(_hidden, items, whole);
        new OutputHead(_weights, _pool, logitBudget: 1).LogProbabilities(_hidden, items, chunked);

        Assert.Equal(whole, chunked);
    }

    [Fact]
    public void LogProbabilities_NoItems_GivesNothing() =>
        Assert.Equal(0, new OutputHead(_weights, _pool).LogProbabilities(_hidden, [], []));

    [Fact]
    public void LogProbabilities_HeadNotFinite_Throws()
    {
        _weights.Head.Values[40] = float.NaN;

        Assert.Throws<NotFiniteNumberException>(() => new OutputHead(_weights, _pool).LogProbabilities(_hidden, Items(), new double[Items().Length]));
    }

    [Fact]
    public void LogProbabilities_RowsOutOfOrder_Throws() =>
        Assert.Throws<ArgumentException>(() => new OutputHead(_weights, _pool).LogProbabilities(_hidden, [new(3, 1), new(2, 1)], new double[2]));

    // Some rows with none, some with several.
    private static ScoredItem[] Items() => [.. Enumerable.Range(0, RowCount).Where(row => row % 5 != 1).SelectMany(row => Enumerable.Range(0, 1 + (row % 3)).Select(i => new ScoredItem(row, (row + (7 * i)) % 37)))];

    private double[] LogSoftmax(int row)
    {
        double[] logits = [.. Enumerable.Range(0, _weights.Head.Rows).Select(token => Enumerable.Range(0, _hidden.Columns)
            .Sum(column => (double)_hidden.Row(row)[column] * _weights.Head.Values[(token * _hidden.Columns) + column]))];
        double sum = Math.Log(logits.Sum(Math.Exp));
        return [.. logits.Select(logit => logit - sum)];
    }
}
