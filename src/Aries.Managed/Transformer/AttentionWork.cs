namespace Aries.Managed;

/// <summary>One layer's attention over a batch, cut into items that threads take: rows of a segment × a key/value head.</summary>
/// <remarks>
/// Online softmax over tiles of 64 keys (Milakov and Gimelshein 2018, <see href="https://arxiv.org/abs/1805.02867"/>), so no [rows, keys] matrix is held.
/// Tiles begin at multiples of 64 of the position in the sequence, and a key that a row must not see has weight exactly 0: a row's result depends neither on
/// the ranges that its context is split into nor on the other rows.
/// </remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed partial class AttentionWork
{
    private const int TileKeys = 64;
    private const int BlockRows = 64;

    [ThreadStatic]
    private static Scratch? _scratch;

    private readonly LlamaConfig _config;
    private readonly WorkerPool _pool;
    private readonly List<Block> _blocks = [];
    private readonly float _scale;
    private readonly int _group;

    private RowBatch _batch = new();
    private LayerActivations _activations = new();
    private float[] _keys = [];
    private float[] _values = [];

    public AttentionWork(LlamaConfig config, WorkerPool pool)
    {
        _config = config;
        _pool = pool;
        _scale = (float)(1 / Math.Sqrt(config.HeadSize));
        _group = config.HeadCount / config.KeyValueHeadCount;
    }

    /// <summary>Plans the items of a batch; once for all layers.</summary>
    public void Plan(RowBatch batch)
    {
        _batch = batch;
        _blocks.Clear();
        _pathStarts.Clear();
        int path = 0;
        for (int segment = 0; segment < batch.Segments.Count; segment++)
        {
            _pathStarts.Add(path);
            path += batch.Segments[segment].PathLength;
            int rows = batch.Segments[segment].RowCount;
            for (int first = 0; first < rows; first += BlockRows)
            {
                _blocks.Add(new Block(segment, first, Math.Min(BlockRows, rows - first)));
            }
        }

        _pathRows = path;
    }

    /// <summary>Fills the activations' Attention and LogSumExp from their Query and the layer's keys and values.</summary>
    public void Forward(LayerActivations activations, float[] keys, float[] values)
    {
        (_activations, _keys, _values) = (activations, keys, values);
        _pool.Run(_blocks.Count * _config.KeyValueHeadCount, this, static (work, item) =>
            work.ForwardBlock(work._blocks[item / work._config.KeyValueHeadCount], item % work._config.KeyValueHeadCount));
    }

    private void ForwardBlock(Block block, int head)
    {
        Scratch scratch = _scratch ??= new Scratch();
        RowSegment segment = _batch.Segments[block.Segment];
        int size = _config.HeadSize;
        int queries = block.Count * _group;
        int firstPosition = segment.ContextLength + block.First;
        int visible = firstPosition + block.Count;
        scratch.Ensure(queries, size);
        GatherQueries(_activations.Query, scratch.Queries, segment, block, head, _scale);
        Matrix allQueries = new(scratch.Queries, queries, size);
        Matrix allScores = new(scratch.Scores, queries, TileKeys);
        Matrix allOutputs = new(scratch.Outputs, queries, size);
        scratch.Maxima.AsSpan(0, queries).Fill(float.NegativeInfinity);
        scratch.Sums.AsSpan(0, queries).Clear();
        for (int tile = 0; tile < visible; tile += TileKeys)
        {
            int count = Math.Min(TileKeys, visible - tile);
            ShowTile(scratch, segment, head, tile, count, out Matrix keys, out Matrix values);
            int first = Math.Max(0, tile - firstPosition) * _group;
            Matrix scores = allScores.RowRange(first, queries - first).ColumnRange(0, count);
            Matrix outputs = allOutputs.RowRange(first, queries - first);
            MatrixProduct.TimesTransposed(allQueries.RowRange(first, queries - first), keys, scores, accumulate: false, _pool);
            for (int query = first; query < queries; query++)
            {
                int seen = Math.Min(count, firstPosition + (query / _group) + 1 - tile);
                float shrink = Soften(scores.Row(query - first), seen, ref scratch.Maxima[query], ref scratch.Sums[query]);
                if (tile > 0)
                {
                    RowKernels.Scale(outputs.Row(query - first), shrink);
                }
            }

            MatrixProduct.Times(scores, values, outputs, accumulate: tile > 0, _pool);
        }

        ScatterOutputs(scratch, segment, block, head);
    }

    // Turns a tile's scores into weights exp(score − maximum), 0 where the row must not look, and brings maximum and sum up to date.
    // Returns what the weights of the earlier tiles shrink by.
    private static float Soften(Span<float> scores, int seen, ref float maximum, ref float sum)
    {
        float newMaximum = MathF.Max(maximum, RowKernels.Max(scores[..seen]));
        float total = RowKernels.ExpShifted(scores[..seen], newMaximum);
        scores[seen..].Clear();
        float shrink = MathF.Exp(maximum - newMaximum);
        sum = (sum * shrink) + total;
        maximum = newMaximum;
        return shrink;
    }

    // Copies the rows' heads that share a key/value head, query after query: [row, head of the group, size].
    private void GatherQueries(float[] source, float[] target, RowSegment segment, Block block, int head, float scale)
    {
        int width = _group * _config.HeadSize;
        int stride = _config.HeadCount * _config.HeadSize;
        for (int row = 0; row < block.Count; row++)
        {
            int start = ((segment.RowStart + block.First + row) * stride) + (head * width);
            Span<float> copy = target.AsSpan(row * width, width);
            source.AsSpan(start, width).CopyTo(copy);
            if (scale != 1)
            {
                RowKernels.Scale(copy, scale);
            }
        }
    }

    private void ScatterOutputs(Scratch scratch, RowSegment segment, Block block, int head)
    {
        int size = _config.HeadSize;
        for (int query = 0; query < block.Count * _group; query++)
        {
            int row = segment.RowStart + block.First + (query / _group);
            int column = (head * _group) + (query % _group);
            Span<float> output = scratch.Outputs.AsSpan(query * size, size);
            RowKernels.Scale(output, 1 / scratch.Sums[query]);
            output.CopyTo(_activations.Attention.AsSpan(((row * _config.HeadCount) + column) * size, size));
            _activations.LogSumExp[(row * _config.HeadCount) + column] = scratch.Maxima[query] + MathF.Log(scratch.Sums[query]);
        }
    }

    // Shows a head's keys and values at the positions tile .. tile + count − 1 of a segment's path; copies them only where they do not lie in one range.
    private void ShowTile(Scratch scratch, RowSegment segment, int head, int tile, int count, out Matrix keys, out Matrix values)
    {
        int size = _config.HeadSize;
        int width = _config.KeyValueHeadCount * size;
        int done = 0;
        int before = 0;
        for (int range = 0; range <= segment.ContextRangeCount && done < count; range++)
        {
            SlotRange slots = RangeOf(segment, range);
            int skip = tile + done - before;
            before += slots.Count;
            if (skip >= slots.Count)
            {
                continue;
            }

            int taken = Math.Min(slots.Count - skip, count - done);
            int offset = ((slots.Start + skip) * width) + (head * size);
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

    // The ranges of a segment's path: those of its context, then its own slots.
    private SlotRange RangeOf(RowSegment segment, int range) => range < segment.ContextRangeCount
        ? _batch.Context[segment.ContextStart + range]
        : new SlotRange(segment.SlotStart, segment.RowCount);

    private readonly record struct Block(int Segment, int First, int Count);

    private sealed class Scratch
    {
        public float[] Queries = [];
        public float[] Outputs = [];
        public float[] OutputGradients = [];
        public float[] QueryGradients = [];
        public float[] Scores = [];
        public float[] ScoreGradients = [];
        public float[] Maxima = [];
        public float[] Sums = [];
        public float[] Keys = [];
        public float[] Values = [];

        public void Ensure(int queries, int size)
        {
            Buffers.Ensure(ref Queries, queries * size);
            Buffers.Ensure(ref Outputs, queries * size);
            Buffers.Ensure(ref Scores, queries * TileKeys);
            Buffers.Ensure(ref Maxima, queries);
            Buffers.Ensure(ref Sums, queries);
            Buffers.Ensure(ref Keys, TileKeys * size);
            Buffers.Ensure(ref Values, TileKeys * size);
        }

        public void EnsureBackward(int queries, int size)
        {
            Ensure(queries, size);
            Buffers.Ensure(ref OutputGradients, queries * size);
            Buffers.Ensure(ref QueryGradients, queries * size);
            Buffers.Ensure(ref ScoreGradients, queries * TileKeys);
        }
    }
}
