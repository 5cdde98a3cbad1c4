namespace Aries.Managed;

/// <summary>One layer's attention over a batch, cut into items that threads take: (rows of a segment) × (key/value head).</summary>
/// <remarks>
/// Online softmax over tiles of 64 keys (Milakov and Gimelshein 2018, <see href="https://arxiv.org/abs/1805.02867"/>), so no [rows, keys] matrix is held.
/// Tiles begin at multiples of 64 of the position in the sequence, and a key that a row must not see has weight exactly 0: a row's result depends neither on
/// the ranges that its context is split into nor on the other rows.
/// </remarks>
internal sealed class AttentionWork
{
    private const int TileKeys = 64;
    private const int BlockRows = 64;

    [ThreadStatic]
    private static Scratch? _scratch;

    private readonly LlamaConfig _config;
    private readonly List<Block> _blocks = [];
    private readonly float _scale;

    private RowBatch _batch = new();
    private LayerActivations _activations = new();
    private float[] _keys = [];
    private float[] _values = [];
    private readonly WorkerPool _pool;

    public AttentionWork(LlamaConfig config, WorkerPool pool)
    {
        _config = config;
        _pool = pool;
        _scale = (float)(1 / Math.Sqrt(config.HeadSize));
    }

    /// <summary>Plans the items of a batch; once for all layers.</summary>
    public void Plan(RowBatch batch)
    {
        _batch = batch;
        _blocks.Clear();
        for (int segment = 0; segment < batch.Segments.Count; segment++)
        {
            int rows = batch.Segments[segment].RowCount;
            for (int first = 0; first < rows; first += BlockRows)
            {
                _blocks.Add(new Block(segment, first, Math.Min(BlockRows, rows - first)));
            }
        }
    }

    /// <summary>Fills the activations' Attention and LogSumExp from their Query and the layer's keys and values.</summary>
    public void Forward(LayerActivations activations, float[] keys, float[] values)
    {
        (_activations, _keys, _values) = (activations, keys, values);
        _pool.Run(_blocks.Count * _config.KeyValueHeadCount, this, static (work, item) =>
            work.ForwardBlock(work._blocks[item / work._config.KeyValueHeadCount], item % work._config.KeyValueHeadCount));
    }

    private void ForwardBlock(Block block, int keyValueHead)
    {
        Scratch scratch = _scratch ??= new Scratch();
        RowSegment segment = _batch.Segments[block.Segment];
        int size = _config.HeadSize;
        int group = _config.HeadCount / _config.KeyValueHeadCount;
        int queries = block.Count * group;
        int firstPosition = segment.ContextLength + block.First;
        int visible = firstPosition + block.Count;
        scratch.Ensure(queries, size, TileKeys);
        GatherQueries(scratch, segment, block, keyValueHead);
        Matrix allQueries = new(scratch.Queries, queries, size);
        Matrix allScores = new(scratch.Scores, queries, TileKeys);
        Matrix allOutputs = new(scratch.Outputs, queries, size);
        scratch.Maxima.AsSpan(0, queries).Fill(float.NegativeInfinity);
        scratch.Sums.AsSpan(0, queries).Clear();
        for (int tile = 0; tile < visible; tile += TileKeys)
        {
            int count = Math.Min(TileKeys, visible - tile);
            GatherTile(scratch, segment, keyValueHead, tile, count, out Matrix keys, out Matrix values);
            int firstQuery = Math.Max(0, tile - firstPosition) * group;
            Matrix scores = allScores.RowRange(firstQuery, queries - firstQuery).ColumnRange(0, count);
            MatrixProduct.TimesTransposed(allQueries.RowRange(firstQuery, queries - firstQuery), keys, scores, accumulate: false, _pool);
            for (int query = firstQuery; query < queries; query++)
            {
                int seen = Math.Min(count, firstPosition + (query / group) + 1 - tile);
                float rescale = SoftmaxTile.Update(
                    scratch.Scores.AsSpan(query * TileKeys, TileKeys), seen, count, ref scratch.Maxima[query], ref scratch.Sums[query]);
                if (tile > 0 && rescale != 1)
                {
                    Span<float> output = allOutputs.Row(query);
                    System.Numerics.Tensors.TensorPrimitives.Multiply(output, rescale, output);
                }
            }

            MatrixProduct.Times(scores, values, allOutputs.RowRange(firstQuery, queries - firstQuery), accumulate: tile > 0, _pool);
        }

        ScatterOutputs(scratch, segment, block, keyValueHead);
    }

    private void GatherQueries(Scratch scratch, RowSegment segment, Block block, int keyValueHead)
    {
        int size = _config.HeadSize;
        int group = _config.HeadCount / _config.KeyValueHeadCount;
        int width = _config.HeadCount * size;
        for (int row = 0; row < block.Count; row++)
        {
            int source = ((segment.RowStart + block.First + row) * width) + (keyValueHead * group * size);
            System.Numerics.Tensors.TensorPrimitives.Multiply(
                _activations.Query.AsSpan(source, group * size), _scale, scratch.Queries.AsSpan(row * group * size, group * size));
        }
    }

    private void ScatterOutputs(Scratch scratch, RowSegment segment, Block block, int keyValueHead)
    {
        int size = _config.HeadSize;
        int group = _config.HeadCount / _config.KeyValueHeadCount;
        for (int row = 0; row < block.Count; row++)
        {
            int target = segment.RowStart + block.First + row;
            for (int head = 0; head < group; head++)
            {
                int query = (row * group) + head;
                int column = (keyValueHead * group) + head;
                System.Numerics.Tensors.TensorPrimitives.Multiply(
                    scratch.Outputs.AsSpan(query * size, size),
                    1 / scratch.Sums[query],
                    _activations.Attention.AsSpan((target * _config.HeadCount * size) + (column * size), size));
                _activations.LogSumExp[(target * _config.HeadCount) + column] = scratch.Maxima[query] + MathF.Log(scratch.Sums[query]);
            }
        }
    }

    // Shows a head's keys and values at the positions tile .. tile + count − 1 of a segment's path; copies them only where they do not lie in one range.
    private void GatherTile(Scratch scratch, RowSegment segment, int keyValueHead, int tile, int count, out Matrix keys, out Matrix values)
    {
        int size = _config.HeadSize;
        int width = _config.KeyValueHeadCount * size;
        int done = 0;
        int before = 0;
        for (int range = 0; range <= segment.ContextRangeCount && done < count; range++)
        {
            SlotRange slots = range < segment.ContextRangeCount
                ? _batch.Context[segment.ContextStart + range]
                : new SlotRange(segment.SlotStart, segment.RowCount);
            int skip = tile + done - before;
            before += slots.Count;
            if (skip >= slots.Count)
            {
                continue;
            }

            int taken = Math.Min(slots.Count - skip, count - done);
            int offset = ((slots.Start + skip) * width) + (keyValueHead * size);
            if (taken == count)
            {
                keys = new Matrix(_keys, offset, count, size, width);
                values = new Matrix(_values, offset, count, size, width);
                return;
            }

            for (int i = 0; i < taken; i++, offset += width, done++)
            {
                _keys.AsSpan(offset, size).CopyTo(scratch.Keys.AsSpan(done * size));
                _values.AsSpan(offset, size).CopyTo(scratch.Values.AsSpan(done * size));
            }
        }

        keys = new Matrix(scratch.Keys, count, size);
        values = new Matrix(scratch.Values, count, size);
    }

    private readonly record struct Block(int Segment, int First, int Count);

    private sealed class Scratch
    {
        public float[] Queries = [];
        public float[] Outputs = [];
        public float[] Scores = [];
        public float[] Maxima = [];
        public float[] Sums = [];
        public float[] Keys = [];
        public float[] Values = [];

        public void Ensure(int queries, int size, int tileKeys)
        {
            Buffers.Ensure(ref Queries, queries * size);
            Buffers.Ensure(ref Outputs, queries * size);
            Buffers.Ensure(ref Scores, queries * tileKeys);
            Buffers.Ensure(ref Maxima, queries);
            Buffers.Ensure(ref Sums, queries);
            Buffers.Ensure(ref Keys, tileKeys * size);
            Buffers.Ensure(ref Values, tileKeys * size);
        }
    }
}
