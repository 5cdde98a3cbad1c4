namespace Aries.Managed.Tests;

public sealed class AttentionWorkTests : IDisposable
{
    private readonly WorkerPool _pool = new(2);

    public void Dispose() => _pool.Dispose();

    // Head sizes below, at and off a vector's width; one query a key and several; contexts of several ranges over several tiles.
    public static TheoryData<int, int, int> Shapes => new() { { 6, 6, 2 }, { 8, 4, 4 }, { 16, 4, 2 }, { 18, 3, 1 }, { 64, 9, 3 } };

    // Softmax weights sum to 1, so an output is good to a few roundings of the largest value (about 3.5): 64 terms of 6e-8 make 1.3e-5 at most.
    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_TreeOfSegments_EqualsPlainAttention(int size, int heads, int keyHeads)
    {
        Case data = new(size, heads, keyHeads);

        data.Run(_pool, null);

        (double[] outputs, double[] logSumExps) = data.PlainForward();
        AssertClose(outputs, data.Activations.Attention, 2e-5);
        AssertClose(logSumExps, data.Activations.LogSumExp, 2e-5);
    }

    // Relative to the largest gradient: sums of up to 200 terms in float32.
    [Theory]
    [MemberData(nameof(Shapes))]
    public void Backward_TreeOfSegments_EqualsPlainGradients(int size, int heads, int keyHeads)
    {
        Case data = new(size, heads, keyHeads);

        data.Run(_pool, null);

        (double[] queries, double[] keys, double[] values) = data.PlainBackward();
        AssertClose(queries, data.QueryGradient, 2e-5 * queries.Max(Math.Abs));
        AssertClose(keys, data.KeyGradient, 2e-5 * keys.Max(Math.Abs));
        AssertClose(values, data.ValueGradient, 2e-5 * values.Max(Math.Abs));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Backward_AnyVectorWidth_GivesTheSameBits(int size, int heads, int keyHeads)
    {
        Case expected = new(size, heads, keyHeads);
        expected.Run(_pool, 128);
        foreach (int bits in new[] { 256, 512 })
        {
            Case actual = new(size, heads, keyHeads);

            actual.Run(_pool, bits);

            Assert.Equal(expected.Activations.Attention, actual.Activations.Attention);
            Assert.Equal(expected.Activations.LogSumExp, actual.Activations.LogSumExp);
            Assert.Equal(expected.QueryGradient, actual.QueryGradient);
            Assert.Equal(expected.KeyGradient, actual.KeyGradient);
            Assert.Equal(expected.ValueGradient, actual.ValueGradient);
        }
    }

    private static void AssertClose(double[] expected, float[] actual, double tolerance)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance, $"{i}: {actual[i]} instead of {expected[i]}");
        }
    }

    // A trunk of 70 rows with branches of 3, 90 and 1, and a leaf of 40 on the second: the leaf's context is two ranges that do not touch.
    private sealed class Case
    {
        private readonly LlamaConfig _config;
        private readonly RowBatch _batch = new();
        private readonly List<int[]> _paths = [];
        private readonly float[] _keys;
        private readonly float[] _values;
        private readonly float[] _outputGradient;

        public Case(int size, int heads, int keyHeads)
        {
            _config = TestModels.SmallConfig with { HeadSize = size, HeadCount = heads, KeyValueHeadCount = keyHeads };
            Add(70);
            Add(3, new SlotRange(0, 70));
            Add(90, new SlotRange(0, 70));
            Add(1, new SlotRange(0, 70));
            Add(40, new SlotRange(0, 70), new SlotRange(73, 90));
            Random random = new(7);
            float[] Values(int columns) => [.. Enumerable.Range(0, _batch.RowCount * columns).Select(_ => (4 * random.NextSingle()) - 2)];
            Activations = new LayerActivations
            {
                Query = Values(heads * size),
                Attention = new float[_batch.RowCount * heads * size],
                LogSumExp = new float[_batch.RowCount * heads],
            };
            (_keys, _values, _outputGradient) = (Values(keyHeads * size), Values(keyHeads * size), Values(heads * size));
            (QueryGradient, KeyGradient, ValueGradient) = (new float[_outputGradient.Length], new float[_keys.Length], new float[_keys.Length]);
        }

        public LayerActivations Activations { get; }

        public float[] QueryGradient { get; }

        public float[] KeyGradient { get; }

        public float[] ValueGradient { get; }

        private int QueryWidth => _config.HeadCount * _config.HeadSize;

        private int KeyWidth => _config.KeyValueHeadCount * _config.HeadSize;

        public void Run(WorkerPool pool, int? vectorBits)
        {
            AttentionWork work = new(_config, pool, vectorBits);
            work.Plan(_batch);
            work.Forward(Activations, _keys, _values);
            Matrix Show(float[] values, int columns) => new(values, _batch.RowCount, columns);
            work.Backward(
                Activations, _keys, _values, Show(_outputGradient, QueryWidth), Show(QueryGradient, QueryWidth), Show(KeyGradient, KeyWidth), Show(ValueGradient, KeyWidth));
        }

        public (double[] Outputs, double[] LogSumExps) PlainForward()
        {
            double[] outputs = new double[Activations.Query.Length];
            double[] logSumExps = new double[Activations.LogSumExp.Length];
            ForEachQuery((row, head, query, key, weights, logSumExp) =>
            {
                logSumExps[(row * _config.HeadCount) + head] = logSumExp;
                for (int i = 0; i < weights.Length; i++)
                {
                    for (int d = 0; d < _config.HeadSize; d++)
                    {
                        outputs[query + d] += weights[i] * _values[key(i) + d];
                    }
                }
            });
            return (outputs, logSumExps);
        }

        public (double[] Queries, double[] Keys, double[] Values) PlainBackward()
        {
            (double[] queries, double[] keys, double[] values) = (new double[QueryGradient.Length], new double[KeyGradient.Length], new double[ValueGradient.Length]);
            double scale = 1 / Math.Sqrt(_config.HeadSize);
            ForEachQuery((row, head, query, key, weights, _) =>
            {
                double[] gradients = [.. weights.Select((_, i) => Dot(_outputGradient, query, _values, key(i)))];
                double mean = weights.Zip(gradients, (weight, gradient) => weight * gradient).Sum();
                for (int i = 0; i < weights.Length; i++)
                {
                    double score = weights[i] * (gradients[i] - mean) * scale;
                    for (int d = 0; d < _config.HeadSize; d++)
                    {
                        queries[query + d] += score * _keys[key(i) + d];
                        keys[key(i) + d] += score * Activations.Query[query + d];
                        values[key(i) + d] += weights[i] * _outputGradient[query + d];
                    }
                }
            });
            return (queries, keys, values);
        }

        private void ForEachQuery(Action<int, int, int, Func<int, int>, double[], double> visit)
        {
            for (int row = 0; row < _batch.RowCount; row++)
            {
                for (int head = 0; head < _config.HeadCount; head++)
                {
                    int[] path = _paths[row];
                    int query = (row * QueryWidth) + (head * _config.HeadSize);
                    int keyHead = head / (_config.HeadCount / _config.KeyValueHeadCount);
                    int Key(int i) => (path[i] * KeyWidth) + (keyHead * _config.HeadSize);
                    double[] scores = [.. path.Select((_, i) => Dot(Activations.Query, query, _keys, Key(i)) / Math.Sqrt(_config.HeadSize))];
                    double logSumExp = scores.Max() + Math.Log(scores.Sum(score => Math.Exp(score - scores.Max())));
                    visit(row, head, query, Key, [.. scores.Select(score => Math.Exp(score - logSumExp))], logSumExp);
                }
            }
        }

        private double Dot(float[] x, int xStart, float[] y, int yStart)
        {
            double sum = 0;
            for (int d = 0; d < _config.HeadSize; d++)
            {
                sum += (double)x[xStart + d] * y[yStart + d];
            }

            return sum;
        }

        private void Add(int count, params SlotRange[] context)
        {
            int first = _batch.AddSegment(new int[count], _batch.RowCount, context);
            for (int row = first; row < first + count; row++)
            {
                _paths.Add([.. context.SelectMany(range => Enumerable.Range(range.Start, range.Count)), .. Enumerable.Range(first, row - first + 1)]);
            }
        }
    }
}
