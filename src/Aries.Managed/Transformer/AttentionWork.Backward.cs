using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <content>The gradients of attention: Dao et al. 2022, <see href="https://arxiv.org/abs/2205.14135"/>, Algorithm 4, over the paths of a token tree.</content>
internal sealed partial class AttentionWork
{
    private readonly List<int> _pathStarts = [];

    // Each segment's gradients of the keys and values on its own path, [path positions of all segments, width]: segments that share ancestors never write one place.
    private float[] _pathKeys = [];
    private float[] _pathValues = [];
    private int _pathRows;

    private Matrix _outputGradient;
    private Matrix _queryGradient;
    private Matrix _keyGradient;
    private Matrix _valueGradient;

    /// <summary>Computes the gradients of queries, keys and values of the batch's rows, whose slots are the rows.</summary>
    public void Backward(
        LayerActivations activations, float[] keys, float[] values, Matrix outputGradient, Matrix queryGradient, Matrix keyGradient, Matrix valueGradient)
    {
        (_activations, _keys, _values) = (activations, keys, values);
        (_outputGradient, _queryGradient, _keyGradient, _valueGradient) = (outputGradient, queryGradient, keyGradient, valueGradient);
        int heads = _config.KeyValueHeadCount;
        int width = heads * _config.HeadSize;
        Buffers.Ensure(ref _pathKeys, _pathRows * width);
        Buffers.Ensure(ref _pathValues, _pathRows * width);
        _pool.Run(_batch.Segments.Count * heads, this, static (work, item) =>
            work.BackwardSegment(item / work._config.KeyValueHeadCount, item % work._config.KeyValueHeadCount));
        _keyGradient.Clear();
        _valueGradient.Clear();
        _pool.Run(heads, this, static (work, head) => work.AddPaths(head));
    }

    private void BackwardSegment(int index, int head)
    {
        RowSegment segment = _batch.Segments[index];
        int size = _config.HeadSize;
        int width = _config.KeyValueHeadCount * size;
        int pathStart = (_pathStarts[index] * width) + (head * size);
        Matrix pathKeys = new(_pathKeys, pathStart, segment.PathLength, size, width);
        Matrix pathValues = new(_pathValues, pathStart, segment.PathLength, size, width);
        pathKeys.Clear();
        pathValues.Clear();
        for (int first = 0; first < segment.RowCount; first += BlockRows)
        {
            BackwardBlock(segment, new Block(index, first, Math.Min(BlockRows, segment.RowCount - first)), head, pathKeys, pathValues);
        }
    }

    private void BackwardBlock(RowSegment segment, Block block, int head, Matrix pathKeys, Matrix pathValues)
    {
        Scratch scratch = _scratch ??= new Scratch();
        int size = _config.HeadSize;
        int queries = block.Count * _group;
        int firstPosition = segment.ContextLength + block.First;
        int visible = firstPosition + block.Count;
        scratch.EnsureBackward(queries, size);
        GatherQueries(_activations.Query, scratch.Queries, segment, block, head, _scale);
        GatherQueries(_activations.Attention, scratch.Outputs, segment, block, head, scale: 1);
        GatherQueries(_outputGradient.Array, scratch.OutputGradients, segment, block, head, scale: 1);
        Matrix allQueries = new(scratch.Queries, queries, size);
        Matrix allOutputGradients = new(scratch.OutputGradients, queries, size);
        Matrix allQueryGradients = new(scratch.QueryGradients, queries, size);
        LoadSums(scratch, segment, block, head);
        for (int tile = 0; tile < visible; tile += TileKeys)
        {
            int count = Math.Min(TileKeys, visible - tile);
            ShowTile(scratch, segment, head, tile, count, out Matrix keys, out Matrix values);
            int first = Math.Max(0, tile - firstPosition) * _group;
            int rest = queries - first;
            Matrix weights = new(scratch.Scores, first * TileKeys, rest, count, TileKeys);
            Matrix scoreGradients = new(scratch.ScoreGradients, first * TileKeys, rest, count, TileKeys);
            Matrix query = allQueries.RowRange(first, rest);
            Matrix outputGradients = allOutputGradients.RowRange(first, rest);
            MatrixProduct.TimesTransposed(query, keys, weights, accumulate: false, _pool);
            MatrixProduct.TimesTransposed(outputGradients, values, scoreGradients, accumulate: false, _pool);
            for (int row = 0; row < rest; row++)
            {
                int seen = Math.Min(count, firstPosition + ((first + row) / _group) + 1 - tile);
                Differentiate(weights.Row(row), scoreGradients.Row(row), seen, scratch.Maxima[first + row], scratch.Sums[first + row]);
            }

            MatrixProduct.Times(scoreGradients, keys, allQueryGradients.RowRange(first, rest), accumulate: tile > 0, _pool);
            MatrixProduct.TransposedTimes(scoreGradients, query, pathKeys.RowRange(tile, count), accumulate: true, _pool);
            MatrixProduct.TransposedTimes(weights, outputGradients, pathValues.RowRange(tile, count), accumulate: true, _pool);
        }

        for (int query = 0; query < queries; query++)
        {
            int row = segment.RowStart + block.First + (query / _group);
            int column = ((head * _group) + (query % _group)) * size;
            Span<float> gradient = allQueryGradients.Row(query);
            RowKernels.Scale(gradient, _scale);
            gradient.CopyTo(_queryGradient.Row(row).Slice(column, size));
        }
    }

    // Maxima: the log-sum-exp of each query. Sums: Σ output·∂L/∂output, which is Σ weight·∂L/∂weight.
    private void LoadSums(Scratch scratch, RowSegment segment, Block block, int head)
    {
        int size = _config.HeadSize;
        for (int query = 0; query < block.Count * _group; query++)
        {
            int row = segment.RowStart + block.First + (query / _group);
            scratch.Maxima[query] = _activations.LogSumExp[(row * _config.HeadCount) + (head * _group) + (query % _group)];
            scratch.Sums[query] = RowKernels.Dot(scratch.Outputs.AsSpan(query * size, size), scratch.OutputGradients.AsSpan(query * size, size));
        }
    }

    // scores -> weights; ∂L/∂weights -> ∂L/∂scores = weight·(∂L/∂weight − Σ weight·∂L/∂weight). 0 where the row does not look.
    private static void Differentiate(Span<float> scores, Span<float> gradient, int seen, float logSumExp, float mean)
    {
        RowKernels.ExpShifted(scores[..seen], logSumExp);
        scores[seen..].Clear();
        Vector256<float> shift = Vector256.Create(mean);

        // Beyond the last seen key the weights are 0, and so become the gradients.
        for (int i = 0; i < gradient.Length; i += Lanes.Count)
        {
            Lanes.Store(Lanes.Load(scores, i) * (Lanes.Load(gradient, i) - shift), gradient, i);
        }
    }

    // Adds the paths' gradients of one head to those of the rows that lie on them, segment after segment.
    private void AddPaths(int head)
    {
        int size = _config.HeadSize;
        int width = _config.KeyValueHeadCount * size;
        for (int index = 0; index < _batch.Segments.Count; index++)
        {
            RowSegment segment = _batch.Segments[index];
            int path = (_pathStarts[index] * width) + (head * size);
            for (int range = 0; range <= segment.ContextRangeCount; range++)
            {
                SlotRange slots = RangeOf(segment, range);
                for (int slot = slots.Start; slot < slots.Start + slots.Count; slot++, path += width)
                {
                    RowKernels.Add(_pathKeys.AsSpan(path, size), _keyGradient.Row(slot).Slice(head * size, size));
                    RowKernels.Add(_pathValues.AsSpan(path, size), _valueGradient.Row(slot).Slice(head * size, size));
                }
            }
        }
    }
}
