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
    [InlineData(37, 16)]
    [InlineData(37, 1024)]
    [InlineData(1300, 32)]
    public void LogProbabilities_AnyShapeAndRowsAtOnce_AgreesWithTheDefinition(int vocabulary, int rowsAtOnce)
    {
        LlamaWeights weights = Weights(vocabulary);
        ScoredItem[] items = Items(vocabulary);
        double[] actual = new double[items.Length];
        OutputHead head = new(weights, _pool, rowsAtOnce: rowsAtOnce);

        double entropy = head.LogProbabilities(_hidden, items, actual, forBackward: false);

        double[][] distributions = [.. Enumerable.Range(0, RowCount).Select(row => LogSoftmax(weights, row))];
        for (int i = 0; i < items.Length; i++)
        {
            Assert.Equal(distributions[items[i].Row][items[i].Target], actual[i], 1e-5);
        }

        int[] rows = [.. items.Select(item => item.Row).Distinct()];
        Assert.Equal(rows.Length, head.RowCount);
        Assert.Equal(rows.Average(row => -distributions[row].Sum(value => Math.Exp(value) * value)), entropy, 1e-5);
    }

    // With logits kept, computed again, and some of each.
    [Theory]
    [InlineData(37, 0, 16)]
    [InlineData(37, 1 << 20, 16)]
    [InlineData(37, 1 << 20, 1024)]
    [InlineData(1300, 0, 1024)]
    [InlineData(1300, 3 * 32 * 512, 32)]
    [InlineData(1300, 1 << 20, 1024)]
    public void Backward_LogitsKeptOrNot_AgreesWithTheDefinition(int vocabulary, long keptLogits, int rowsAtOnce)
    {
        LlamaWeights weights = Weights(vocabulary);
        ScoredItem[] items = Items(vocabulary);
        double[] coefficients = [.. items.Select((_, i) => Math.Sin(i))];
        OutputHead head = new(weights, _pool, keptLogits, rowsAtOnce);
        Matrix hiddenGradient = Matrix.Zeros(RowCount, _hidden.Columns);
        hiddenGradient.Array.AsSpan().Fill(7);
        Parameter weightGradient = new("lm_head.weight", vocabulary, _hidden.Columns);
        head.LogProbabilities(_hidden, items, new double[items.Length], forBackward: true);

        head.Backward(coefficients, hiddenGradient, weightGradient);

        double[,] logitGradient = new double[RowCount, vocabulary];
        foreach (IGrouping<int, (ScoredItem Item, double Coefficient)> row in items.Zip(coefficients).GroupBy(pair => pair.First.Row))
        {
            double[] logs = LogSoftmax(weights, row.Key);
            double total = row.Sum(pair => pair.Coefficient);
            for (int token = 0; token < vocabulary; token++)
            {
                logitGradient[row.Key, token] = -total * Math.Exp(logs[token]);
            }

            foreach ((ScoredItem item, double coefficient) in row)
            {
                logitGradient[row.Key, item.Target] += coefficient;
            }
        }

        for (int column = 0; column < _hidden.Columns; column++)
        {
            for (int row = 0; row < RowCount; row++)
            {
                double expected = Enumerable.Range(0, vocabulary).Sum(token => logitGradient[row, token] * weights.Head.Values[(token * _hidden.Columns) + column]);
                Assert.Equal(expected, hiddenGradient.Row(row)[column], 1e-5);
            }

            for (int token = 0; token < vocabulary; token++)
            {
                double expected = Enumerable.Range(0, RowCount).Sum(row => logitGradient[row, token] * _hidden.Row(row)[column]);
                Assert.Equal(expected, weightGradient.Values[(token * _hidden.Columns) + column], 5e-5);
            }
        }
    }

    [Theory]
    [InlineData(37)]
    [InlineData(1300)]
    public void LogProbabilities_RowsAtOnceThreadsOrPass_ChangeNoBit(int vocabulary)
    {
        LlamaWeights weights = Weights(vocabulary);
        ScoredItem[] items = Items(vocabulary);
        double[] whole = new double[items.Length];
        double[] parts = new double[items.Length];
        using WorkerPool one = new(1);

        double wholeEntropy = new OutputHead(weights, _pool).LogProbabilities(_hidden, items, whole, forBackward: false);
        double partsEntropy = new OutputHead(weights, one, rowsAtOnce: 3).LogProbabilities(_hidden, items, parts, forBackward: true);

        Assert.Equal(whole, parts);
        Assert.Equal(wholeEntropy, partsEntropy);
    }

    // A row's hidden gradient beside others and alone, on one thread and two; the head's with its logits kept and computed again.
    [Fact]
    public void Backward_KeptLogitsOrThreads_ChangeNoBit()
    {
        LlamaWeights weights = Weights(1300);
        ScoredItem[] items = Items(1300);
        double[] coefficients = [.. items.Select((_, i) => Math.Sin(i))];
        using WorkerPool one = new(1);

        (Matrix hidden, Parameter weight) = Gradients(_pool, 0, items, coefficients);
        (Matrix keptHidden, Parameter keptWeight) = Gradients(one, 1 << 20, items, coefficients);

        Assert.Equal(hidden.Array, keptHidden.Array);
        Assert.Equal(weight.Values, keptWeight.Values);
        int last = items[^1].Row;
        int first = Array.FindIndex(items, item => item.Row == last);
        (Matrix alone, _) = Gradients(_pool, 0, items[first..], coefficients[first..]);
        Assert.Equal(hidden.Row(last), alone.Row(last));

        (Matrix, Parameter) Gradients(WorkerPool pool, long keptLogits, ScoredItem[] items, double[] coefficients)
        {
            OutputHead head = new(weights, pool, keptLogits);
            Matrix hiddenGradient = Matrix.Zeros(RowCount, _hidden.Columns);
            Parameter weightGradient = new("lm_head.weight", 1300, _hidden.Columns);
            head.LogProbabilities(_hidden, items, new double[items.Length], forBackward: true);
            head.Backward(coefficients, hiddenGradient, weightGradient);
            return (hiddenGradient, weightGradient);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1 << 20)]
    public void Backward_Warm_AllocatesNothing(long keptLogits)
    {
        using WorkerPool one = new(1);
        ScoredItem[] items = Items(1300);
        double[] values = new double[items.Length];
        OutputHead head = new(Weights(1300), one, keptLogits, rowsAtOnce: 32);
        Matrix hiddenGradient = Matrix.Zeros(RowCount, _hidden.Columns);
        Parameter weightGradient = new("lm_head.weight", 1300, _hidden.Columns);
        Run();
        long before = GC.GetAllocatedBytesForCurrentThread();

        Run();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Run()
        {
            head.LogProbabilities(_hidden, items, values, forBackward: true);
            head.Backward(values, hiddenGradient, weightGradient);
        }
    }

    [Fact]
    public void Backward_LogProbabilitiesNotMadeForIt_Throws()
    {
        OutputHead head = new(_weights, _pool);
        head.LogProbabilities(_hidden, Items(37), new double[Items(37).Length], forBackward: false);

        Assert.Throws<InvalidOperationException>(() => head.Backward(new double[Items(37).Length], Matrix.Zeros(RowCount, _hidden.Columns), null));
    }

    [Fact]
    public void LogProbabilities_NoItems_GivesNothing() =>
        Assert.Equal(0, new OutputHead(_weights, _pool).LogProbabilities(_hidden, [], [], forBackward: true));

    [Fact]
    public void LogProbabilities_HeadNotFinite_Throws()
    {
        _weights.Head.Values[40] = float.NaN;

        Assert.Throws<NotFiniteNumberException>(() => new OutputHead(_weights, _pool).LogProbabilities(_hidden, Items(37), new double[Items(37).Length], forBackward: false));
    }

    [Fact]
    public void LogProbabilities_HiddenNotFinite_NamesTheRow()
    {
        _hidden.Row(8)[5] = float.PositiveInfinity;

        NotFiniteNumberException exception = Assert.Throws<NotFiniteNumberException>(
            () => new OutputHead(_weights, _pool).LogProbabilities(_hidden, Items(37), new double[Items(37).Length], forBackward: false));

        Assert.Contains("row 8", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void LogProbabilities_RowsOutOfOrder_Throws() =>
        Assert.Throws<ArgumentException>(() => new OutputHead(_weights, _pool).LogProbabilities(_hidden, [new(3, 1), new(2, 1)], new double[2], forBackward: false));

    // Several blocks of the vocabulary, the last of an odd length; or one.
    private static LlamaWeights Weights(int vocabulary) => TestModels.Random(TestModels.SmallConfig with { VocabularySize = vocabulary }, seed: 1);

    // Some rows with none, some with several.
    private static ScoredItem[] Items(int vocabulary) => [.. Enumerable.Range(0, RowCount).Where(row => row % 5 != 1)
        .SelectMany(row => Enumerable.Range(0, 1 + (row % 3)).Select(i => new ScoredItem(row, (row + (vocabulary / 5 * i)) % vocabulary)))];

    private double[] LogSoftmax(LlamaWeights weights, int row)
    {
        double[] logits = [.. Enumerable.Range(0, weights.Head.Rows).Select(token => Enumerable.Range(0, _hidden.Columns)
            .Sum(column => (double)_hidden.Row(row)[column] * weights.Head.Values[(token * _hidden.Columns) + column]))];
        double sum = Math.Log(logits.Sum(Math.Exp));
        return [.. logits.Select(logit => logit - sum)];
    }
}
