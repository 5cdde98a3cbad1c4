using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <content>The gradients of attention: Dao et al. 2022, <see href="https://arxiv.org/abs/2205.14135"/>, Algorithm 4, over the paths of a token tree.</content>
/// <remarks>
/// A unit is a run of a segment's rows, as long as leaves a batch some units of like cost; what they are depends on the batch alone. It writes the gradients of its own rows' keys and values in their place,
/// those of the rows before it on its path into a prefix of its own: units that share ancestors never write one place, and the prefixes are added afterwards in the units' order.
/// </remarks>
internal sealed partial class AttentionWork
{
    // No unit is much dearer than this part of the batch: enough for the threads to end together, few enough that a long sequence does not need many prefixes.
    private const int LeastUnits = 8;

    private readonly List<Unit> _units = [];
    private float[] _prefixKeys = [];
    private float[] _prefixValues = [];

    private Matrix _outputGradient;
    private Matrix _queryGradient;
    private Matrix _keyGradient;
    private Matrix _valueGradient;

    /// <summary>Computes the gradients of queries, keys and values of the batch's rows, whose slots are the rows. Those of the queries may lie where the activations' Query lies.</summary>
    public void Backward(
        LayerActivations activations, float[] keys, float[] values, Matrix outputGradient, Matrix queryGradient, Matrix keyGradient, Matrix valueGradient)
    {
        (_activations, _keys, _values) = (activations, keys, values);
        (_outputGradient, _queryGradient, _keyGradient, _valueGradient) = (outputGradient, queryGradient, keyGradient, valueGradient);
        if (_units.Count == 0)
        {
            PlanUnits();
        }

        // From the last unit, which sees most, so that the threads end together.
        _pool.Run(_units.Count * _config.KeyValueHeadCount, this, static (work, item) =>
        {
            Unit unit = work._units[work._units.Count - 1 - (item / work._config.KeyValueHeadCount)];
            int head = item % work._config.KeyValueHeadCount;
            switch (work._vectorBits)
            {
                case 512: work.BackwardUnit<Simd512, Vector512<float>>(unit, head); break;
                case 256: work.BackwardUnit<Simd256, Vector256<float>>(unit, head); break;
                default: work.BackwardUnit<Simd128, Vector128<float>>(unit, head); break;
            }
        });

        int rowsPerBlock = Math.Max(BlockRows, (_batch.RowCount + 15) / 16);
        _pool.RunBlocks(_batch.RowCount, rowsPerBlock, this, static (work, start, end) => work.AddPrefixes(start, end));
    }

    private void PlanUnits()
    {
        double whole = 0;
        foreach (Block block in _blocks)
        {
            whole += CostOf(block);
        }

        int prefix = 0;
        double cost = 0;
        for (int index = 0; index < _blocks.Count; index++)
        {
            Block block = _blocks[index];
            cost += CostOf(block);
            if (block.First > 0 && cost <= whole / LeastUnits)
            {
                _units[^1] = _units[^1] with { Count = _units[^1].Count + block.Count };
                continue;
            }

            _units.Add(new Unit(block.Segment, block.First, block.Count, prefix));
            prefix += _batch.Segments[block.Segment].ContextLength + block.First;
            cost = CostOf(block);
        }

        int width = _config.KeyValueHeadCount * _config.HeadSize;
        Buffers.Ensure(ref _prefixKeys, checked(prefix * width));
        Buffers.Ensure(ref _prefixValues, checked(prefix * width));
    }

    // Rows × the keys that they see.
    private double CostOf(Block block) => block.Count * (_batch.Segments[block.Segment].ContextLength + block.First + (0.5 * block.Count));

    private void BackwardUnit<TSimd, TVector>(Unit unit, int head)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        RowSegment segment = _batch.Segments[unit.Segment];
        int size = _config.HeadSize;
        int width = _config.KeyValueHeadCount * size;
        int prefixLength = segment.ContextLength + unit.First;
        for (int row = unit.PrefixStart; row < unit.PrefixStart + prefixLength; row++)
        {
            _prefixKeys.AsSpan((row * width) + (head * size), size).Clear();
            _prefixValues.AsSpan((row * width) + (head * size), size).Clear();
        }

        for (int row = segment.RowStart + unit.First; row < segment.RowStart + unit.First + unit.Count; row++)
        {
            _keyGradient.Row(row).Slice(head * size, size).Clear();
            _valueGradient.Row(row).Slice(head * size, size).Clear();
        }

        for (int first = 0; first < unit.Count; first += BlockRows)
        {
            BackwardBlock<TSimd, TVector>(unit, new Block(unit.Segment, unit.First + first, Math.Min(BlockRows, unit.Count - first)), head);
        }
    }

    private unsafe void BackwardBlock<TSimd, TVector>(Unit unit, Block block, int head)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        RowSegment segment = _batch.Segments[block.Segment];
        int size = _config.HeadSize;
        int visible = segment.ContextLength + block.First + block.Count;
        AttentionScratch scratch = AttentionScratch.Take(block.Count * _group, size, TSimd.Width);
        GatherAll(_activations.Query, scratch, scratch.Query, segment, block, head, _scale);
        GatherAll(_outputGradient.Array, scratch, scratch.OutputGradient, segment, block, head, scale: 1);
        AttentionProducts<TSimd, TVector>.Transpose(scratch.Query, scratch.Queries, scratch.Size, scratch.QueryTransposed, scratch.Row);
        AttentionProducts<TSimd, TVector>.Transpose(scratch.OutputGradient, scratch.Queries, scratch.Size, scratch.OutputGradientTransposed, scratch.Row);
        LoadSums(scratch, segment, block, head);
        for (int start = 0; start < visible; start += TileKeys)
        {
            AttentionTile tile = TileAt(start, segment, block);
            LoadTile(scratch, segment, head, tile);
            AttentionProducts<TSimd, TVector>.Scores(tile, scratch, size, scratch.Keys, scratch.QueryTransposed, scratch.Scores);
            AttentionProducts<TSimd, TVector>.Scores(tile, scratch, size, scratch.Values, scratch.OutputGradientTransposed, scratch.ScoreGradient);
            AttentionSoftmax.Differentiate(tile, scratch);
            AttentionProducts<TSimd, TVector>.SumOverKeys(tile, scratch, scratch.ScoreGradient, scratch.Keys, scratch.QueryGradient, accumulate: start > 0);
            AttentionProducts<TSimd, TVector>.SumOverQueries(tile, scratch, scratch.ScoreGradient, scratch.Query, scratch.KeyGradient);
            AttentionProducts<TSimd, TVector>.SumOverQueries(tile, scratch, scratch.Scores, scratch.OutputGradient, scratch.ValueGradient);
            AddTile(scratch, unit, tile, head);
        }

        ScatterQueryGradients(scratch, segment, block, head);
    }

    // Maxima: the log-sum-exp of each query. Sums: Σ output·∂L/∂output, which is Σ weight·∂L/∂weight.
    private unsafe void LoadSums(AttentionScratch scratch, RowSegment segment, Block block, int head)
    {
        int size = _config.HeadSize;
        for (int query = 0; query < block.Count * _group; query++)
        {
            int row = segment.RowStart + block.First + (query / _group);
            int index = (row * _config.HeadCount) + (head * _group) + (query % _group);
            scratch.Part.Maxima[query] = _activations.LogSumExp[index];
            scratch.Part.Sums[query] = RowKernels.Dot(_activations.Attention.AsSpan(index * size, size), _outputGradient.Array.AsSpan(index * size, size));
        }

        int filled = scratch.Queries - (block.Count * _group);
        new Span<float>(scratch.Part.Maxima + (block.Count * _group), filled).Clear();
        new Span<float>(scratch.Part.Sums + (block.Count * _group), filled).Clear();
    }

    private unsafe void AddTile(AttentionScratch scratch, Unit unit, in AttentionTile tile, int head)
    {
        RowSegment segment = _batch.Segments[unit.Segment];
        int size = _config.HeadSize;
        int width = _config.KeyValueHeadCount * size;
        int prefixLength = segment.ContextLength + unit.First;
        for (int key = 0; key < tile.Count; key++)
        {
            int position = tile.Start + key;
            bool own = position >= prefixLength;
            int row = own ? segment.RowStart + position - segment.ContextLength : unit.PrefixStart + position;
            int offset = (row * width) + (head * size);
            RowKernels.Add(new ReadOnlySpan<float>(scratch.KeyGradient + (key * scratch.Size), size), (own ? _keyGradient.Array : _prefixKeys).AsSpan(offset, size));
            RowKernels.Add(new ReadOnlySpan<float>(scratch.ValueGradient + (key * scratch.Size), size), (own ? _valueGradient.Array : _prefixValues).AsSpan(offset, size));
        }
    }

    private unsafe void ScatterQueryGradients(AttentionScratch scratch, RowSegment segment, Block block, int head)
    {
        int size = _config.HeadSize;
        for (int query = 0; query < block.Count * _group; query++)
        {
            int row = segment.RowStart + block.First + (query / _group);
            int column = ((head * _group) + (query % _group)) * size;
            RowKernels.Scale(new ReadOnlySpan<float>(scratch.QueryGradient + (query * scratch.Size), size), _scale, _queryGradient.Row(row).Slice(column, size));
        }
    }

    // Adds the prefixes' gradients to those of some rows, unit after unit.
    private void AddPrefixes(int start, int end)
    {
        int width = _config.KeyValueHeadCount * _config.HeadSize;
        foreach (Unit unit in _units)
        {
            RowSegment segment = _batch.Segments[unit.Segment];
            int position = unit.PrefixStart;
            int left = segment.ContextLength + unit.First;
            for (int range = 0; left > 0; range++)
            {
                SlotRange slots = RangeOf(segment, range);
                int count = Math.Min(slots.Count, left);
                int first = Math.Max(start, slots.Start);
                int length = (Math.Min(end, slots.Start + count) - first) * width;
                if (length > 0)
                {
                    int from = (position + first - slots.Start) * width;
                    RowKernels.Add(_prefixKeys.AsSpan(from, length), _keyGradient.Array.AsSpan(first * width, length));
                    RowKernels.Add(_prefixValues.AsSpan(from, length), _valueGradient.Array.AsSpan(first * width, length));
                }

                position += count;
                left -= count;
            }
        }
    }

    private readonly record struct Unit(int Segment, int First, int Count, int PrefixStart);
}
