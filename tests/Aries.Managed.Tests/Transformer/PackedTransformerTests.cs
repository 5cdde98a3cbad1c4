namespace Aries.Managed.Tests;

/// <summary>A transformer on packed weights computes what it computes on the float32 weights that they stand for.</summary>
public sealed class PackedTransformerTests : IDisposable
{
    private readonly WorkerPool _pool = new(2);

    public void Dispose() => _pool.Dispose();

    [Theory]
    [InlineData(WeightStorage.Float32, false)]
    [InlineData(WeightStorage.Float32, true)]
    [InlineData(WeightStorage.BFloat16, false)]
    [InlineData(WeightStorage.Int8, true)]
    public void Forward_PackedWeights_GivesTheBitsOfTheStoredWeights(WeightStorage storage, bool adapted)
    {
        LlamaConfig config = TestModels.SmallConfig;
        LlamaWeights plain = TestModels.Random(config, seed: 1);
        LoraWeights? adapter = adapted ? TestModels.RandomAdapter(plain, new LoraOptions { Rank = 3, Alpha = 4 }, seed: 2) : null;
        LlamaWeights stored = LlamaWeights.Create(config, (name, _, _) => Stored(plain.Parameters().First(parameter => parameter.Name == name), storage));
        int[] ids = Ids(150, config);

        float[] expected = Hidden(config, stored, adapter, ids, ids.Length);

        foreach (int piece in (int[])[1, 3, 5, 40, 150])
        {
            Assert.Equal(expected, Hidden(config, plain.Pack(config, storage), adapter?.Pack(), ids, piece));
        }
    }

    [Theory]
    [InlineData(WeightStorage.BFloat16)]
    [InlineData(WeightStorage.Int8)]
    public void LogProbabilities_PackedHead_AreThoseOfTheStoredWeights(WeightStorage storage)
    {
        LlamaConfig config = TestModels.StoriesConfig;
        LlamaWeights plain = TestModels.Stories();
        LlamaWeights stored = LlamaWeights.Create(config, (name, _, _) => Stored(plain.Parameters().First(parameter => parameter.Name == name), storage));
        int[] ids = Ids(40, config);
        Matrix hidden = new(Hidden(config, plain, null, ids, 40), 40, config.HiddenSize);
        ScoredItem[] items = [.. Enumerable.Range(0, 40).Select(row => new ScoredItem(row, ids[(row * 7) % 40]))];
        (double[] expected, double[] actual) = (new double[40], new double[40]);

        new OutputHead(stored, _pool).LogProbabilities(hidden, items, expected, forBackward: false);
        new OutputHead(plain.Pack(config, storage), _pool).LogProbabilities(hidden, items, actual, forBackward: false);

        Assert.Equal(expected, actual);
    }

    [Fact]
    public void Forward_PackedAndAdapted_AllocatesNothingInItsSecondPass()
    {
        LlamaConfig config = TestModels.StoriesConfig;
        using WorkerPool one = new(1);
        LlamaWeights weights = TestModels.Stories();
        LoraWeights adapter = TestModels.RandomAdapter(weights, new LoraOptions { Rank = 3, Alpha = 4 }, seed: 2);
        Transformer transformer = new(config, weights.Pack(config, WeightStorage.Int8), adapter.Pack(), one);
        RowBatch batch = new();
        batch.AddSegment([7], 20, [new SlotRange(0, 20)]);
        KeyValueStore store = new(config, 21);
        transformer.Forward(batch, store, tape: null, TestContext.Current.CancellationToken);
        transformer.Forward(batch, store, tape: null, TestContext.Current.CancellationToken);

        long before = GC.GetAllocatedBytesForCurrentThread();
        transformer.Forward(batch, store, tape: null, TestContext.Current.CancellationToken);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Values_PackedParameter_SaysHowToLoad()
    {
        Parameter packed = new Parameter("model.layers.0.mlp.up_proj.weight", 4, 4).Pack(WeightStorage.Int8);

        InvalidOperationException exception = Assert.Throws<InvalidOperationException>(() => packed.Values);

        Assert.Contains("model.layers.0.mlp.up_proj.weight", exception.Message, StringComparison.Ordinal);
    }

    private static Parameter Stored(Parameter plain, WeightStorage storage) => plain.Rows == 1
        ? plain
        : new Parameter(
            plain.Name,
            plain.Rows,
            plain.Columns,
            [.. Enumerable.Range(0, plain.Rows).SelectMany(row => StoredWeights.Of(plain.Values.AsSpan(row * plain.Columns, plain.Columns), storage))]);

    private static int[] Ids(int count, LlamaConfig config)
    {
        Random random = new(3);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(config.VocabularySize))];
    }

    private float[] Hidden(LlamaConfig config, LlamaWeights weights, LoraWeights? adapter, int[] ids, int piece)
    {
        Transformer transformer = new(config, weights, adapter, _pool);
        KeyValueStore store = new(config, ids.Length);
        RowBatch batch = new();
        List<float> result = [];
        for (int start = 0; start < ids.Length; start += piece)
        {
            int count = Math.Min(piece, ids.Length - start);
            batch.Clear();
            batch.AddSegment(ids.AsSpan(start, count), start, start == 0 ? [] : [new SlotRange(0, start)]);
            Matrix hidden = transformer.Forward(batch, store, tape: null, TestContext.Current.CancellationToken);
            result.AddRange(hidden.Array.AsSpan(0, count * config.HiddenSize));
        }

        return [.. result];
    }
}
