using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <content>Attention of blocks of few rows, as decoding has them: the limit is reading keys and values, which is done once for all queries, and in place where a tile lies in one piece.</content>
/// <remarks>
/// An item is some parts of the keys, for all key/value heads where there are items enough for the threads: then memory is read in the order in which it lies, and the next tile is asked for meanwhile.
/// Keys are transposed on the way, so that a row is a query, and each sum is the chain that blocks of many rows have: the same bits, so which way a row takes may follow from the speed alone.
/// On the 135M configuration, one row of 512 tokens went from 12 GB/s of keys and values to 24, where memory gave 25; 32 rows from 6–10 to 12–16, where it gave 20–27.
/// </remarks>
internal sealed partial class AttentionWork
{
    // More queries of a head are faster as a block of many rows: the sums of their weights run along the vectors there.
    private const int FewQueries = 64;

    private const int ItemsPerThread = 4;

    private readonly List<Item> _items = [];
    private readonly List<int> _partials = [];
    private float[] _partialSums = [];

    private void PlanItems()
    {
        int parts = 0;
        foreach (Block block in _blocks)
        {
            parts += HasFewRows(block) ? PartCount(block) : 0;
        }

        int heads = _config.KeyValueHeadCount;
        int items = ItemsPerThread * _pool.ThreadCount;
        int headsPerItem = parts < items ? 1 : heads;
        int partsPerItem = Math.Max(1, parts / (2 * items));
        int length = 0;
        _partials.Clear();
        for (int index = 0; index < _blocks.Count; index++)
        {
            Block block = _blocks[index];
            bool isSplit = HasFewRows(block) && PartCount(block) > 1;
            _partials.Add(isSplit ? length : -1);
            length += isSplit ? PartCount(block) * PartialLength(block) : 0;
        }

        Buffers.Ensure(ref _partialSums, length);

        // From the last block, which sees most, so that the threads end together.
        for (int index = _blocks.Count - 1; index >= 0; index--)
        {
            Block block = _blocks[index];
            if (!HasFewRows(block))
            {
                AddItems(index, part: -1, partCount: 1, headsPerItem: 1);
                continue;
            }

            int count = PartCount(block);
            for (int part = 0; part < count; part += partsPerItem)
            {
                AddItems(index, part, Math.Min(partsPerItem, count - part), headsPerItem);
            }
        }
    }

    private void AddItems(int block, int part, int partCount, int headsPerItem)
    {
        for (int head = 0; head < _config.KeyValueHeadCount; head += headsPerItem)
        {
            _items.Add(new Item(block, part, partCount, head, headsPerItem));
        }
    }

    private bool HasFewRows(Block block) => block.Count * _group <= FewQueries;

    private int PartCount(Block block) => (VisibleKeys(block) + PartKeys - 1) / PartKeys;

    // The values of what a part of the keys comes to, for all heads of a block.
    private int PartialLength(Block block) => _config.KeyValueHeadCount * HeadLength(block);

    private int HeadLength(Block block) => AttentionSums.LengthFor(PaddedQueries(block), _config.HeadSize);

    private int PaddedQueries(Block block) => ((block.Count * _group) + Lanes.Count - 1) / Lanes.Count * Lanes.Count;

    private unsafe void ForwardParts<TSimd, TVector>(Item item)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        Block block = _blocks[item.Block];
        RowSegment segment = _batch.Segments[block.Segment];
        int queries = PaddedQueries(block);
        int end = Math.Min((item.Part + item.PartCount) * PartKeys, VisibleKeys(block));
        AttentionScratch scratch = AttentionScratch.Take(item.HeadCount * queries, _config.HeadSize, TSimd.Width);
        for (int head = 0; head < item.HeadCount; head++)
        {
            Gather(_activations.Query, scratch, scratch.Query + (head * queries * scratch.Size), segment, block, item.FirstHead + head, _scale);
        }

        scratch.Part.Clear();
        fixed (float* keys = _keys, values = _values)
        {
            for (int start = item.Part * PartKeys; start < end; start += TileKeys)
            {
                AttentionTile tile = TileAt(start, segment, block);
                SlotRange next = item.HeadCount > 1 && start + TileKeys < end ? RunAt(segment, start + TileKeys, Math.Min(TileKeys, end - start - TileKeys)) : default;
                for (int head = 0; head < item.HeadCount; head++)
                {
                    ForwardTile<TSimd, TVector>(tile, scratch, segment, keys, values, item.FirstHead + head, head * queries, next);
                }

                if (start + TileKeys >= end || (start + TileKeys) % PartKeys == 0)
                {
                    EndPart(scratch, item, start / PartKeys);
                }
            }
        }
    }

    private void EndPart(AttentionScratch scratch, Item item, int part)
    {
        Block block = _blocks[item.Block];
        for (int index = 0; index < item.HeadCount; index++)
        {
            int place = index * PaddedQueries(block);
            if (_partials[item.Block] < 0)
            {
                ScatterOutputs(scratch.Part, place, scratch.Size, _batch.Segments[block.Segment], block, item.FirstHead + index);
            }
            else
            {
                Keep(scratch, place, item.Block, part, item.FirstHead + index);
            }
        }

        scratch.Part.Clear();
    }

    private unsafe void ForwardTile<TSimd, TVector>(
        in AttentionTile tile, AttentionScratch scratch, RowSegment segment, float* keys, float* values, int head, int place, SlotRange next)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int size = _config.HeadSize;
        int width = _config.KeyValueHeadCount * size;
        int offset = head * size;
        bool isFirst = tile.Start % PartKeys == 0;
        AttentionSums sums = scratch.Part;
        bool isWhole = true;
        int slot = 0;
        for (int done = 0; done < tile.Count;)
        {
            SlotRange run = RunAt(segment, tile.Start + done, tile.Count - done);
            Packing<TSimd, TVector>.Transpose(keys + (run.Start * (nint)width) + offset, width, run.Count, size, scratch.Keys + done, TileKeys);
            isWhole = run.Count == tile.Count;
            slot = run.Start;
            done += run.Count;
        }

        AttentionProducts<TSimd, TVector>.ScoreRows(tile, size, scratch.Query + (place * scratch.Size), scratch.Size, scratch.Keys, scratch.Scores, NextOf(keys, next, head));
        AttentionSoftmax.SoftenRows(tile, scratch.Scores, sums.Maxima + place, scratch.Shrinks + place);
        AddWeights<TSimd, TVector>(tile, scratch, place);
        if (!isFirst)
        {
            ShrinkOutputs(tile, scratch, place);
        }

        // The chain of a tile must not break where a run ends, nor a vector reach beyond the head.
        bool isInPlace = isWhole && size == scratch.Size;
        if (!isInPlace)
        {
            LoadRows(_values, scratch.Values, scratch.Size, segment, head, tile);
        }

        AttentionProducts<TSimd, TVector>.SumRowsOverKeys(
            tile,
            scratch.Scores,
            isInPlace ? values + (slot * (nint)width) + offset : scratch.Values,
            isInPlace ? width : scratch.Size,
            scratch.Size,
            sums.Output + (place * scratch.Size),
            accumulate: !isFirst,
            NextOf(values, next, head));
    }

    // A head's share of the memory of the next tile, of all heads.
    private unsafe NextRead NextOf(float* rows, SlotRange next, int head)
    {
        nint bytes = next.Count * (nint)_config.HeadSize * sizeof(float);
        return new NextRead((byte*)(rows + (next.Start * (nint)_config.KeyValueHeadCount * _config.HeadSize)) + (head * bytes), bytes);
    }

    // Each query's sum is one chain over the keys: as the product of the weights with ones, so that the chains of several queries run side by side.
    private static unsafe void AddWeights<TSimd, TVector>(in AttentionTile tile, AttentionScratch scratch, int place)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        float* ones = stackalloc float[TSimd.Width];
        new Span<float>(ones, TSimd.Width).Fill(1);
        AttentionProducts<TSimd, TVector>.SumRowsOverKeys(tile, scratch.Scores, ones, 0, TSimd.Width, scratch.QueryTransposed, accumulate: false, default);
        for (int query = tile.FirstQuery; query < tile.QueryCount; query++)
        {
            float* sum = scratch.Part.Sums + place + query;
            *sum = MathF.FusedMultiplyAdd(*sum, scratch.Shrinks[place + query], scratch.QueryTransposed[query * TSimd.Width]);
        }
    }

    // Keeps what a part comes to for one head.
    private unsafe void Keep(AttentionScratch scratch, int place, int block, int part, int head)
    {
        int size = _config.HeadSize;
        int queries = PaddedQueries(_blocks[block]);
        fixed (float* memory = _partialSums)
        {
            AttentionSums kept = PartialAt(memory, block, part, head);
            for (int query = 0; query < queries; query++)
            {
                new ReadOnlySpan<float>(scratch.Part.Output + ((place + query) * scratch.Size), size).CopyTo(new Span<float>(kept.Output + (query * size), size));
            }

            new ReadOnlySpan<float>(scratch.Part.Maxima + place, queries).CopyTo(new Span<float>(kept.Maxima, queries));
            new ReadOnlySpan<float>(scratch.Part.Sums + place, queries).CopyTo(new Span<float>(kept.Sums, queries));
        }
    }

    private unsafe AttentionSums PartialAt(float* memory, int block, int part, int head) => new(
        memory + _partials[block] + (part * PartialLength(_blocks[block])) + (head * HeadLength(_blocks[block])), PaddedQueries(_blocks[block]), _config.HeadSize);

    // Adds the parts of blocks whose keys were shared out.
    private void AddParts()
    {
        _pool.RunBlocks(_blocks.Count, ItemsPerThread, this, static (work, start, end) =>
        {
            for (int block = start; block < end; block++)
            {
                if (work._partials[block] >= 0)
                {
                    work.AddParts(block);
                }
            }
        });
    }

    private unsafe void AddParts(int index)
    {
        Block block = _blocks[index];
        fixed (float* memory = _partialSums)
        {
            for (int head = 0; head < _config.KeyValueHeadCount; head++)
            {
                AttentionSums total = PartialAt(memory, index, 0, head);
                for (int part = 1; part < PartCount(block); part++)
                {
                    total.Add(PartialAt(memory, index, part, head));
                }

                ScatterOutputs(total, 0, _config.HeadSize, _batch.Segments[block.Segment], block, head);
            }
        }
    }

    // Parts of a block's keys and some heads; part −1 is a block of many rows, with all keys and one head.
    private readonly record struct Item(int Block, int Part, int PartCount, int FirstHead, int HeadCount);
}
