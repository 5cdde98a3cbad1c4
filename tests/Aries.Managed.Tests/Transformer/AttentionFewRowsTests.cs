namespace Aries.Managed.Tests;

/// <summary>Decoding reads keys and values in place, a part of them a thread; scoring and prefill copy tiles. A row must not show which of them it had.</summary>
public sealed class AttentionFewRowsTests
{
    // Several tiles and parts; the last of each is not whole.
    private const int Length = 300;

    // Head sizes below, at and off a vector's width; 200 rows of one query a key are many, as 64 rows of three are.
    public static TheoryData<int, int, int> Shapes => new() { { 6, 6, 2 }, { 16, 4, 2 }, { 18, 3, 1 }, { 32, 2, 2 }, { 64, 9, 3 } };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_RowsAlone_GiveTheBitsOfTheWholeSequence(int size, int heads, int keyHeads)
    {
        Case data = new(size, heads, keyHeads);
        data.AssertRowsAlone([.. Enumerable.Range(0, Length).Select(slot => slot)]);
    }

    // Runs of 50 and of 6 slots in any order: tiles of one run, of several, and runs over several tiles.
    [Theory]
    [InlineData(50)]
    [InlineData(6)]
    public void Forward_RowsAloneWithScatteredKeys_GiveTheSameBits(int run)
    {
        int[] runs = [.. Enumerable.Range(0, (Length + run - 1) / run)];
        new Random(run).Shuffle(runs);
        int[] slots = [.. Enumerable.Range(0, Length).Select(position => (runs[position / run] * run) + (position % run))];

        new Case(64, 9, 3).AssertRowsAlone(slots);
    }

    // What prompt lookup does: a row and its draft, over the end of a tile and of a part.
    [Theory]
    [InlineData(60, 9)]
    [InlineData(127, 2)]
    [InlineData(120, 17)]
    [InlineData(255, 20)]
    public void Forward_RowsWithADraft_GiveTheSameBits(int first, int count) => new Case(64, 9, 3).AssertSegments([(first, count)], [.. Enumerable.Range(0, Length)]);

    private sealed class Case
    {
        private readonly LlamaConfig _config;
        private readonly float[] _queries;
        private readonly float[] _keys;
        private readonly float[] _values;
        private readonly LayerActivations _whole;

        public Case(int size, int heads, int keyHeads)
        {
            _config = TestModels.SmallConfig with { HeadSize = size, HeadCount = heads, KeyValueHeadCount = keyHeads };
            Random random = new(11);
            float[] Values(int columns) => [.. Enumerable.Range(0, Length * columns).Select(_ => (4 * random.NextSingle()) - 2)];
            (_queries, _keys, _values) = (Values(heads * size), Values(keyHeads * size), Values(keyHeads * size));
            _whole = Run([(0, Length)], [.. Enumerable.Range(0, Length)], threads: 1, bits: 128);
        }

        // Each alone, whose keys the threads share out, and all of them in one pass, which they share out by rows.
        public void AssertRowsAlone(int[] slots)
        {
            foreach (int row in (int[])[0, 1, 63, 64, 126, 127, 128, 200, 255, 256, 299])
            {
                AssertSegments([(row, 1)], slots);
            }

            AssertSegments([.. Enumerable.Range(0, Length).Select(row => (row, 1))], slots);
        }

        public void AssertSegments((int First, int Count)[] segments, int[] slots)
        {
            foreach (int bits in (int[])[128, 256, 512])
            {
                foreach (int threads in (int[])[1, 3])
                {
                    LayerActivations actual = Run(segments, slots, threads, bits);
                    int row = 0;
                    foreach ((int first, int count) in segments)
                    {
                        AssertSame(_whole.Attention, actual.Attention, first, row, count, _config.HeadCount * _config.HeadSize);
                        AssertSame(_whole.LogSumExp, actual.LogSumExp, first, row, count, _config.HeadCount);
                        row += count;
                    }
                }
            }
        }

        private static void AssertSame(float[] whole, float[] actual, int first, int row, int count, int width) =>
            Assert.Equal(whole.AsSpan(first * width, count * width), actual.AsSpan(row * width, count * width));

        // Segments of the sequence, each after all that is before it. The slots of a segment follow each other, so each is filled anew where those of its context are not.
        private LayerActivations Run((int First, int Count)[] segments, int[] slots, int threads, int bits)
        {
            using WorkerPool pool = new(threads);
            int keyWidth = _config.KeyValueHeadCount * _config.HeadSize;
            int queryWidth = _config.HeadCount * _config.HeadSize;
            int rows = segments.Sum(segment => segment.Count);
            float[] keys = new float[(Length + rows) * keyWidth];
            float[] values = new float[(Length + rows) * keyWidth];
            void Place(int position, int slot)
            {
                _keys.AsSpan(position * keyWidth, keyWidth).CopyTo(keys.AsSpan(slot * keyWidth));
                _values.AsSpan(position * keyWidth, keyWidth).CopyTo(values.AsSpan(slot * keyWidth));
            }

            for (int position = 0; position < Length; position++)
            {
                Place(position, slots[position]);
            }

            RowBatch batch = new();
            List<float> queries = [];
            foreach ((int first, int count) in segments)
            {
                List<SlotRange> context = [];
                foreach (int slot in slots.AsSpan(0, first))
                {
                    context.Join(new SlotRange(slot, 1));
                }

                for (int row = 0; row < count; row++)
                {
                    Place(first + row, Length + batch.RowCount + row);
                    queries.AddRange(_queries.AsSpan((first + row) * queryWidth, queryWidth));
                }

                batch.AddSegment(new int[count], Length + batch.RowCount, [.. context]);
            }

            LayerActivations activations = new() { Query = [.. queries], Attention = new float[rows * queryWidth], LogSumExp = new float[rows * _config.HeadCount] };
            AttentionWork work = new(_config, pool, bits);
            work.Plan(batch);
            work.Forward(activations, keys, values);
            return activations;
        }
    }
}
