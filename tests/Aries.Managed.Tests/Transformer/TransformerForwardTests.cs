using System.Text.Json;

namespace Aries.Managed.Tests;

public sealed class TransformerForwardTests : IDisposable
{
    private readonly WorkerPool _pool = new(2);

    public void Dispose() => _pool.Dispose();

    // Tolerance of golden/forward for float32: 2e-4 on logits.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Forward_GoldenPrompt_GivesTheLogits(int prompt)
    {
        JsonElement expected = GoldenFiles.Json("forward", "forward.json").GetProperty("prompts")[prompt];
        double[] logits = GoldenFiles.Tensors("forward", "logits.safetensors")[expected.GetProperty("logits_key").GetString()!].Values;
        int[] ids = expected.GetProperty("ids").Ints();
        double[] gaps = expected.GetProperty("top2_gap").Doubles();
        int[] best = expected.GetProperty("argmax").Ints();
        LlamaWeights weights = TestModels.Stories();

        float[] hidden = Hidden(TestModels.StoriesConfig, weights, null, ids);

        Matrix actual = Matrix.Zeros(ids.Length, 512);
        MatrixProduct.TimesTransposed(new Matrix(hidden, ids.Length, 64), weights.Head, actual, accumulate: false, _pool);
        for (int i = 0; i < logits.Length; i++)
        {
            Assert.Equal(logits[i], actual.Array[i], 2e-4);
        }

        for (int row = 0; row < ids.Length; row++)
        {
            if (gaps[row] > 1e-3)
            {
                Assert.Equal(best[row], actual.Row(row).IndexOf(actual.Row(row).ToArray().Max()));
            }
        }
    }

    // The same sequence in one segment, token by token through a store, in pieces whose slots lie apart, and beside others must give the same bits:
    // generation relies on it (a row's text does not depend on who else is in the batch).
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Forward_AnySplitIntoSegments_GivesTheSameBits(bool adapted)
    {
        LlamaConfig config = TestModels.SmallConfig;
        LlamaWeights weights = TestModels.Random(config, seed: 1);
        LoraWeights? adapter = adapted ? TestModels.RandomAdapter(weights, new LoraOptions { Rank = 3, Alpha = 4 }, seed: 2) : null;
        Random random = new(3);
        int[] ids = RandomIds(random, 150, config.VocabularySize);
        float[] expected = Hidden(config, weights, adapter, ids);

        for (int trial = 0; trial < 12; trial++)
        {
            float[] actual = HiddenInPieces(config, weights, adapter, ids, random, pieceLimit: trial == 0 ? 1 : 1 + random.Next(90));

            Assert.Equal(expected, actual);
        }
    }

    [Fact]
    public void Forward_OneThreadOrMany_GivesTheSameBits()
    {
        LlamaWeights weights = TestModels.Stories();
        int[] ids = RandomIds(new Random(4), 200, 512);
        using WorkerPool one = new(1);
        using WorkerPool many = new(5);

        Assert.Equal(Hidden(TestModels.StoriesConfig, weights, null, ids, one), Hidden(TestModels.StoriesConfig, weights, null, ids, many));
    }

    [Fact]
    public void Forward_WithTape_GivesTheSameBits()
    {
        LlamaConfig config = TestModels.StoriesConfig;
        LlamaWeights weights = TestModels.Stories();
        int[] ids = RandomIds(new Random(5), 70, 512);
        RowBatch batch = new();
        batch.AddSegment(ids, 0, []);
        KeyValueStore store = new(config, ids.Length);
        Transformer transformer = new(config, weights, null, _pool);

        foreach (bool recompute in new[] { false, true })
        {
            Matrix hidden = transformer.Forward(batch, store, new ForwardTape(config, recompute), TestContext.Current.CancellationToken);

            Assert.Equal(Hidden(config, weights, null, ids), hidden.Array[..(ids.Length * config.HiddenSize)]);
        }
    }

    // A second forward of the same size finds every buffer large enough.
    [Fact]
    public void Forward_SecondPass_AllocatesNothing()
    {
        LlamaConfig config = TestModels.StoriesConfig;
        using WorkerPool one = new(1);
        Transformer transformer = new(config, TestModels.Stories(), null, one);
        RowBatch batch = new();
        batch.AddSegment(RandomIds(new Random(6), 70, 512), 0, []);
        KeyValueStore store = new(config, 70);
        ForwardTape tape = new(config);
        transformer.Forward(batch, store, tape, TestContext.Current.CancellationToken);
        transformer.Forward(batch, store, tape, TestContext.Current.CancellationToken);

        long before = GC.GetAllocatedBytesForCurrentThread();
        transformer.Forward(batch, store, tape, TestContext.Current.CancellationToken);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Forward_TokenOutsideVocabulary_NamesIt()
    {
        RowBatch batch = new();
        batch.AddSegment([3, 512], 0, []);
        Transformer transformer = new(TestModels.StoriesConfig, TestModels.Stories(), null, _pool);

        ArgumentException exception = Assert.Throws<ArgumentException>(() => transformer.Forward(batch, new KeyValueStore(TestModels.StoriesConfig, 2), null, TestContext.Current.CancellationToken));

        Assert.Contains("512", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Forward_SequenceBeyondContext_NamesBothLengths()
    {
        LlamaConfig config = TestModels.StoriesConfig with { ContextLength = 4 };
        RowBatch batch = new();
        batch.AddSegment([1, 2, 3, 4, 5], 0, []);
        Transformer transformer = new(config, TestModels.Stories(), null, _pool);

        ArgumentException exception = Assert.Throws<ArgumentException>(() => transformer.Forward(batch, new KeyValueStore(config, 5), null, TestContext.Current.CancellationToken));

        Assert.Contains("5 tokens", exception.Message, StringComparison.Ordinal);
        Assert.Contains("context of 4", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Forward_StoreTooSmall_Throws()
    {
        RowBatch batch = new();
        batch.AddSegment([1, 2, 3], 7, []);
        Transformer transformer = new(TestModels.StoriesConfig, TestModels.Stories(), null, _pool);

        Assert.Throws<ArgumentException>(() => transformer.Forward(batch, new KeyValueStore(TestModels.StoriesConfig, 9), null, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void AddSegment_EmptyContextRange_Throws() =>
        Assert.Throws<ArgumentException>(() => new RowBatch().AddSegment([1], 5, [new SlotRange(0, 0)]));

    private static int[] RandomIds(Random random, int count, int vocabulary) => [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];

    private float[] Hidden(LlamaConfig config, LlamaWeights weights, LoraWeights? adapter, int[] ids, WorkerPool? pool = null)
    {
        RowBatch batch = new();
        batch.AddSegment(ids, 0, []);
        Matrix hidden = new Transformer(config, weights, adapter, pool ?? _pool).Forward(batch, new KeyValueStore(config, ids.Length), null);
        return hidden.Array[..(hidden.Rows * hidden.Columns)];
    }

    private float[] HiddenInPieces(LlamaConfig config, LlamaWeights weights, LoraWeights? adapter, int[] ids, Random random, int pieceLimit)
    {
        Transformer transformer = new(config, weights, adapter, _pool);
        KeyValueStore store = new(config);
        List<SlotRange> context = [];
        List<float> result = [];
        RowBatch batch = new();
        int slot = random.Next(4);
        for (int start = 0; start < ids.Length;)
        {
            int count = Math.Min(1 + random.Next(pieceLimit), ids.Length - start);
            batch.Clear();
            int other = random.Next(3);
            for (int i = 0; i < other; i++)
            {
                batch.AddSegment(RandomIds(random, 1 + random.Next(20), config.VocabularySize), slot, []);
                slot += 20 + random.Next(3);
            }

            int row = batch.AddSegment(ids.AsSpan(start, count), slot, context.ToArray());
            context.Add(new SlotRange(slot, count));
            slot += count + random.Next(3);
            store.EnsureSlots(slot);
            Matrix hidden = transformer.Forward(batch, store, null);
            for (int i = 0; i < count; i++)
            {
                result.AddRange(hidden.Row(row + i));
            }

            start += count;
        }

        return [.. result];
    }
}
