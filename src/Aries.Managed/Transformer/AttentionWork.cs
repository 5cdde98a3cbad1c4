using System.Runtime.Intrinsics;

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
    private const int TileKeys = AttentionScratch.TileKeys;
    private const int BlockRows = 64;

    private readonly LlamaConfig _config;
    private readonly WorkerPool _pool;
    private readonly List<Block> _blocks = [];
    private readonly float _scale;
    private readonly int _vectorBits;
    private readonly int _group;

    private RowBatch _batch = new();
    private LayerActivations _activations = new();
    private float[] _keys = [];
    private float[] _values = [];

    /// <summary>Creates the attention of a model's layers.</summary>
    /// <param name="config">The model's shape.</param>
    /// <param name="pool">The threads.</param>
    /// <param name="vectorBits">The vector width of the products, or null for <see cref="VectorWidth.Default"/>; every width gives the same bits.</param>
    public AttentionWork(LlamaConfig config, WorkerPool pool, int? vectorBits = null)
    {
        _vectorBits = vectorBits ?? VectorWidth.Default;
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
        _units.Clear();
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

        // From the last block, which sees most, so that the threads end together.
        _pool.Run(_blocks.Count * _config.KeyValueHeadCount, this, static (work, item) =>
        {
            Block block = work._blocks[work._blocks.Count - 1 - (item / work._config.KeyValueHeadCount)];
            int head = item % work._config.KeyValueHeadCount;
            switch (work._vectorBits)
            {
                case 512: work.ForwardBlock<Simd512, Vector512<float>>(block, head); break;
                case 256: work.ForwardBlock<Simd256, Vector256<float>>(block, head); break;
                default: work.ForwardBlock<Simd128, Vector128<float>>(block, head); break;
            }
        });
    }

    private unsafe void ForwardBlock<TSimd, TVector>(Block block, int head)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        RowSegment segment = _batch.Segments[block.Segment];
        int size = _config.HeadSize;
        int queries = block.Count * _group;
        int visible = segment.ContextLength + block.First + block.Count;
        AttentionScratch scratch = AttentionScratch.Take(queries, size, TSimd.Width);
        Gather(_activations.Query, scratch, scratch.Query, segment, block, head, _scale);
        AttentionProducts<TSimd, TVector>.Transpose(scratch.Query, scratch.Queries, scratch.Size, scratch.QueryTransposed, scratch.Row);
        new Span<float>(scratch.Maxima, scratch.Queries).Fill(float.NegativeInfinity);
        new Span<float>(scratch.Sums, scratch.Queries).Clear();
        for (int start = 0; start < visible; start += TileKeys)
        {
            AttentionTile tile = TileAt(start, segment, block);
            LoadTile(scratch, segment, head, tile);
            AttentionProducts<TSimd, TVector>.Scores(tile, scratch, size, scratch.Keys, scratch.QueryTransposed, scratch.Scores);
            AttentionSoftmax.Soften(tile, scratch);
            if (start > 0)
            {
                ShrinkOutputs(tile, scratch);
            }

            AttentionProducts<TSimd, TVector>.SumOverKeys(tile, scratch, scratch.Scores, scratch.Values, scratch.Output, accumulate: start > 0);
        }

        ScatterOutputs(scratch, segment, block, head);
    }

    private AttentionTile TileAt(int start, RowSegment segment, Block block)
    {
        int firstPosition = segment.ContextLength + block.First;
        return new AttentionTile(start, Math.Min(TileKeys, firstPosition + block.Count - start), firstPosition, _group, block.Count * _group);
    }

    // Copies the rows' heads that share a key/value head, query after query, and fills rows and columns up with zeros.
    private unsafe void Gather(float[] source, AttentionScratch scratch, float* target, RowSegment segment, Block block, int head, float scale)
    {
        int size = _config.HeadSize;
        int stride = _config.HeadCount * size;
        for (int row = 0; row < block.Count; row++)
        {
            ReadOnlySpan<float> values = source.AsSpan(((segment.RowStart + block.First + row) * stride) + (head * _group * size), _group * size);
            for (int query = 0; query < _group; query++, target += scratch.Size)
            {
                Span<float> copy = new(target, scratch.Size);
                RowKernels.Scale(values.Slice(query * size, size), scale, copy[..size]);
                copy[size..].Clear();
            }
        }

        new Span<float>(target, (scratch.Queries - (block.Count * _group)) * scratch.Size).Clear();
    }

    private static unsafe void ShrinkOutputs(in AttentionTile tile, AttentionScratch scratch)
    {
        for (int query = tile.FirstQuery; query < tile.QueryCount; query++)
        {
            float shrink = scratch.Shrinks[query];
            if (shrink != 1)
            {
                RowKernels.Scale(new Span<float>(scratch.Output + (query * scratch.Size), scratch.Size), shrink);
            }
        }
    }

    private unsafe void ScatterOutputs(AttentionScratch scratch, RowSegment segment, Block block, int head)
    {
        int size = _config.HeadSize;
        int index = ((segment.RowStart + block.First) * _config.HeadCount) + (head * _group);
        for (int row = 0, query = 0; row < block.Count; row++, index += _config.HeadCount - _group)
        {
            for (int column = 0; column < _group; column++, query++, index++)
            {
                RowKernels.Scale(
                    new ReadOnlySpan<float>(scratch.Output + (query * scratch.Size), size),
                    1 / scratch.Sums[query],
                    _activations.Attention.AsSpan(index * size, size));
                _activations.LogSumExp[index] = scratch.Maxima[query] + MathF.Log(scratch.Sums[query]);
            }
        }
    }

    // Copies a head's keys and values at a tile's positions of a segment's path, range by range, and fills the rows up with zeros.
    private unsafe void LoadTile(AttentionScratch scratch, RowSegment segment, int head, in AttentionTile tile)
    {
        int size = _config.HeadSize;
        int width = _config.KeyValueHeadCount * size;
        int done = 0;
        int before = 0;
        for (int range = 0; range <= segment.ContextRangeCount && done < tile.Count; range++)
        {
            SlotRange slots = RangeOf(segment, range);
            int skip = tile.Start + done - before;
            before += slots.Count;
            int offset = ((slots.Start + skip) * width) + (head * size);
            for (int taken = Math.Min(slots.Count - skip, tile.Count - done); taken > 0; taken--, offset += width, done++)
            {
                Fill(_keys.AsSpan(offset, size), new Span<float>(scratch.Keys + (done * scratch.Size), scratch.Size));
                Fill(_values.AsSpan(offset, size), new Span<float>(scratch.Values + (done * scratch.Size), scratch.Size));
            }
        }
    }

    private static void Fill(ReadOnlySpan<float> row, Span<float> target)
    {
        row.CopyTo(target);
        target[row.Length..].Clear();
    }

    // The ranges of a segment's path: those of its context, then its own slots.
    private SlotRange RangeOf(RowSegment segment, int range) => range < segment.ContextRangeCount
        ? _batch.Context[segment.ContextStart + range]
        : new SlotRange(segment.SlotStart, segment.RowCount);

    private readonly record struct Block(int Segment, int First, int Count);
}
