using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <summary>One layer's attention over a batch, cut into items that threads take: rows of a segment × a key/value head.</summary>
/// <remarks>
/// Online softmax over tiles of 64 keys (Milakov and Gimelshein 2018, <see href="https://arxiv.org/abs/1805.02867"/>), so no [rows, keys] matrix is held.
/// Tiles begin at multiples of 64 of the position in the sequence, and a key that a row must not see has weight exactly 0. Parts of two tiles begin anew and are added
/// in their order, so that threads may share the keys of one row. A row's result depends neither on the ranges that its context is split into nor on the other rows.
/// </remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed partial class AttentionWork
{
    private const int TileKeys = AttentionScratch.TileKeys;
    private const int PartKeys = 2 * TileKeys;
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
        _items.Clear();
        for (int segment = 0; segment < batch.Segments.Count; segment++)
        {
            int rows = batch.Segments[segment].RowCount;
            for (int first = 0; first < rows; first += BlockRows)
            {
                _blocks.Add(new Block(segment, first, Math.Min(BlockRows, rows - first)));
            }
        }

        PlanItems();
    }

    /// <summary>Fills the activations' Attention and LogSumExp from their Query and the layer's keys and values.</summary>
    public void Forward(LayerActivations activations, float[] keys, float[] values)
    {
        (_activations, _keys, _values) = (activations, keys, values);

        _pool.Run(_items.Count, this, static (work, index) =>
        {
            Item item = work._items[index];
            switch (work._vectorBits)
            {
                case 512: work.ForwardItem<Simd512, Vector512<float>>(item); break;
                case 256: work.ForwardItem<Simd256, Vector256<float>>(item); break;
                default: work.ForwardItem<Simd128, Vector128<float>>(item); break;
            }
        });
        AddParts();
    }

    private void ForwardItem<TSimd, TVector>(Item item)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        if (item.Part < 0)
        {
            ForwardBlock<TSimd, TVector>(_blocks[item.Block], item.FirstHead);
        }
        else
        {
            ForwardParts<TSimd, TVector>(item);
        }
    }

    private unsafe void ForwardBlock<TSimd, TVector>(Block block, int head)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        RowSegment segment = _batch.Segments[block.Segment];
        int size = _config.HeadSize;
        int visible = VisibleKeys(block);
        AttentionScratch scratch = AttentionScratch.Take(block.Count * _group, size, TSimd.Width);
        GatherAll(_activations.Query, scratch, scratch.Query, segment, block, head, _scale);
        AttentionProducts<TSimd, TVector>.Transpose(scratch.Query, scratch.Queries, scratch.Size, scratch.QueryTransposed, scratch.Row);
        scratch.Part.Clear();
        for (int start = 0; start < visible; start += TileKeys)
        {
            AttentionTile tile = TileAt(start, segment, block);
            LoadTile(scratch, segment, head, tile);
            AttentionProducts<TSimd, TVector>.Scores(tile, scratch, size, scratch.Keys, scratch.QueryTransposed, scratch.Scores);
            AttentionSoftmax.Soften(tile, scratch);
            bool isFirst = start % PartKeys == 0;
            if (!isFirst)
            {
                ShrinkOutputs(tile, scratch, 0);
            }

            AttentionProducts<TSimd, TVector>.SumOverKeys(tile, scratch, scratch.Scores, scratch.Values, scratch.Part.Output, accumulate: !isFirst);
            if ((start + TileKeys) % PartKeys == 0 || start + TileKeys >= visible)
            {
                scratch.EndPart(isFirst: start < PartKeys);
            }
        }

        ScatterOutputs(scratch.Total, 0, scratch.Size, segment, block, head);
    }

    // How many keys the last row of a block sees.
    private int VisibleKeys(Block block) => _batch.Segments[block.Segment].ContextLength + block.First + block.Count;

    private AttentionTile TileAt(int start, RowSegment segment, Block block)
    {
        int firstPosition = segment.ContextLength + block.First;
        return new AttentionTile(start, Math.Min(TileKeys, firstPosition + block.Count - start), firstPosition, _group, block.Count * _group);
    }

    // Copies the rows' heads that share a key/value head, query after query, and fills rows and columns up with zeros.
    private unsafe void GatherAll(float[] source, AttentionScratch scratch, float* target, RowSegment segment, Block block, int head, float scale)
    {
        int queries = block.Count * _group;
        Gather(source, scratch, target, segment, block, head, scale);
        new Span<float>(target + (queries * scratch.Size), (scratch.Queries - queries) * scratch.Size).Clear();
    }

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
    }

    // The queries of a head begin at some place among those of the scratch.
    private static unsafe void ShrinkOutputs(in AttentionTile tile, AttentionScratch scratch, int place)
    {
        for (int query = place + tile.FirstQuery; query < place + tile.QueryCount; query++)
        {
            float shrink = scratch.Shrinks[query];
            if (shrink != 1)
            {
                RowKernels.Scale(new Span<float>(scratch.Part.Output + (query * scratch.Size), scratch.Size), shrink);
            }
        }
    }

    private unsafe void ScatterOutputs(in AttentionSums sums, int query, int sumsSize, RowSegment segment, Block block, int head)
    {
        int size = _config.HeadSize;
        int index = ((segment.RowStart + block.First) * _config.HeadCount) + (head * _group);
        for (int row = 0; row < block.Count; row++, index += _config.HeadCount - _group)
        {
            for (int column = 0; column < _group; column++, query++, index++)
            {
                RowKernels.Scale(
                    new ReadOnlySpan<float>(sums.Output + (query * sumsSize), size),
                    1 / sums.Sums[query],
                    _activations.Attention.AsSpan(index * size, size));
                _activations.LogSumExp[index] = sums.Maxima[query] + MathF.Log(sums.Sums[query]);
            }
        }
    }

    private unsafe void LoadTile(AttentionScratch scratch, RowSegment segment, int head, in AttentionTile tile)
    {
        LoadRows(_keys, scratch.Keys, scratch.Size, segment, head, tile);
        LoadRows(_values, scratch.Values, scratch.Size, segment, head, tile);
    }

    // Copies a head's rows at a tile's positions of a segment's path, run by run, and fills them up with zeros.
    private unsafe void LoadRows(float[] source, float* target, int targetRow, RowSegment segment, int head, in AttentionTile tile)
    {
        int size = _config.HeadSize;
        int width = _config.KeyValueHeadCount * size;
        for (int done = 0; done < tile.Count;)
        {
            SlotRange run = RunAt(segment, tile.Start + done, tile.Count - done);
            int offset = (run.Start * width) + (head * size);
            for (int key = 0; key < run.Count; key++, offset += width, target += targetRow)
            {
                Fill(source.AsSpan(offset, size), new Span<float>(target, targetRow));
            }

            done += run.Count;
        }
    }

    // The slots that follow each other from a position of a segment's path on, at most so many.
    private SlotRange RunAt(RowSegment segment, int position, int count)
    {
        for (int range = 0; ; range++)
        {
            SlotRange slots = RangeOf(segment, range);
            if (position < slots.Count)
            {
                return new SlotRange(slots.Start + position, Math.Min(slots.Count - position, count));
            }

            position -= slots.Count;
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
