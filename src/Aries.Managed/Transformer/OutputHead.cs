using Aries.Preferences;

namespace Aries.Managed;

/// <summary>From hidden rows to log-probabilities of given tokens, and back. Of [rows, vocabulary], a tile is held: some rows by a block of the vocabulary.</summary>
/// <remarks>
/// <para>With p = softmax(h·Wᵀ) of a row h, and coefficients c_j of the tokens t_j that are asked of it:</para>
/// <code>
/// log p(t)  = (h·Wᵀ)_t − log Σ exp(h·Wᵀ)
/// ∂/∂h      = Σ_j c_j · W[t_j] − (Σ_j c_j) · (p·W)
/// ∂/∂W[v]   = Σ_rows (Σ_{j: t_j = v} c_j − p_v · Σ_j c_j) · h
/// </code>
/// <para>
/// The limit is the processor's multiply-adds. p·W does not depend on the coefficients, so the forward pass computes it while a tile's exponentials are near; the gradient of the hidden rows then
/// needs no product, and a frozen head no second look at the logits. The sums of a row pass over the blocks of the vocabulary in one order, so neither its neighbours, nor the threads,
/// nor how many rows are held at once change a bit.
/// </para>
/// </remarks>
/// <threadsafety>Not thread-safe: it keeps its buffers.</threadsafety>
internal sealed partial class OutputHead
{
    // 1024 rows of it are 2 MB of logits: what the product has written is still near when the sums read it. The sums follow the blocks,
    // so this is part of the results' definition; another value gives other roundings.
    private const int BlockLength = 512;

    private const int DefaultRowsAtOnce = 1024;

    // 32 MB, which nobody misses.
    private const long LeastKept = 8 << 20;

    private readonly WorkerPool _pool;
    private readonly long _keptLogits;
    private readonly int _rowsAtOnce;
    private Parameter _weight;
    private int _room;
    private ScoredItem[] _items = [];
    private int[] _firstItem = [0];
    private double[] _values = [];
    private int _itemCount;
    private RunningSoftmax[] _softmax = [];
    private double[] _logSumExps = [];
    private double[] _entropies = [];
    private double[] _coefficients = [];
    private float[] _hidden = [];
    private float[] _expected = [];
    private float[] _scaled = [];
    private float[] _shifts = [];
    private float[][] _kept = [];
    private float[] _passing = [];
    private int _keptCount;
    private bool _forBackward;

    /// <summary>Creates the head of a model.</summary>
    /// <param name="weights">The model's weights, read at each call.</param>
    /// <param name="pool">The threads.</param>
    /// <param name="keptLogits">How many of the logits a pass for <see cref="Backward"/> may keep, so that a trained head need not compute them again; it changes no bit of any result.</param>
    /// <param name="rowsAtOnce">How many rows go over the vocabulary together; it changes no bit of any result but the weight's gradient.</param>
    public OutputHead(LlamaWeights weights, WorkerPool pool, long keptLogits = 0, int rowsAtOnce = DefaultRowsAtOnce)
    {
        (_weight, _pool, _keptLogits, _rowsAtOnce) = (weights.Head, pool, keptLogits, rowsAtOnce);
    }

    /// <summary>Gets or sets the token that is looked at before each tile of logits. The default is never cancelled.</summary>
    public CancellationToken Cancellation { get; set; }

    /// <summary>Gets the number of rows that the last items name.</summary>
    public int RowCount { get; private set; }

    private int TileCount => (RowCount + _rowsAtOnce - 1) / _rowsAtOnce * BlockCount;

    private int BlockCount => (_weight.Rows + BlockLength - 1) / BlockLength;

    /// <summary>Returns how many logits are worth keeping where the head is trained: as many as its weight, gradient and two moments have values, or 32 MB.</summary>
    /// <param name="vocabulary">V.</param>
    /// <param name="hiddenSize">H.</param>
    public static long WorthKeeping(int vocabulary, int hiddenSize) => Math.Max(LeastKept, 4L * vocabulary * hiddenSize);

    /// <summary>Computes with the head of other weights of the same shape from now on, in the same memory.</summary>
    public void Use(LlamaWeights weights) => _weight = weights.Head;

    /// <summary>Makes room for items of so many rows.</summary>
    public void Reserve(int rows) => _room = Math.Max(_room, rows);

    /// <summary>Computes the log-probability of each item, in nats.</summary>
    /// <param name="hidden">What <see cref="Transformer.Forward"/> returned. Shape [rows, H].</param>
    /// <param name="items">The items, ordered by row.</param>
    /// <param name="logProbabilities">Receives log softmax(hidden·Wᵀ)[target] of each item; its sums are float64.</param>
    /// <param name="forBackward">Whether <see cref="Backward"/> follows: then p·W is computed too.</param>
    /// <returns>The mean entropy of the rows' distributions, in nats; 0 without items.</returns>
    /// <exception cref="NotFiniteNumberException">A hidden row holds NaN or infinity, or a row's logits do.</exception>
    public double LogProbabilities(Matrix hidden, ReadOnlySpan<ScoredItem> items, Span<double> logProbabilities, bool forBackward)
    {
        _forBackward = forBackward;
        Plan(items);
        GatherRows(hidden);
        Buffers.EnsureExactly(ref _expected, forBackward ? checked(_room * _weight.Columns) : 0);
        for (int index = 0; index < TileCount; index++)
        {
            Cancellation.ThrowIfCancellationRequested();
            Tile tile = TileAt(index);
            Matrix logits = Logits(tile);
            MatrixProduct.Project(RowsOf(_hidden, tile), _weight, logits, accumulate: false, _pool, tile.Start);
            _pool.RunBlocks(tile.RowCount, BlockRows.RowsPerBlock(logits), (this, tile, logits), static (state, start, end) => state.Item1.Fold(state.tile, state.logits, start, end));
            if (forBackward)
            {
                MatrixProduct.Times(logits, WeightOf(tile), RowsOf(_expected, tile), accumulate: tile.Block > 0, _pool);
            }
        }

        double entropy = 0;
        for (int row = 0; row < RowCount; row++)
        {
            entropy += _entropies[row];
        }

        _values.AsSpan(0, items.Length).CopyTo(logProbabilities);
        return RowCount == 0 ? 0 : entropy / RowCount;
    }

    private void Plan(ReadOnlySpan<ScoredItem> items)
    {
        if (_items.Length < items.Length)
        {
            int length = items.Length + (items.Length / 8);
            _items = new ScoredItem[length];
            _values = new double[length];
            _coefficients = new double[length];
            _firstItem = new int[length + 1];
            _softmax = new RunningSoftmax[length];
            _logSumExps = new double[length];
            _entropies = new double[length];
        }

        items.CopyTo(_items);
        _itemCount = items.Length;
        int rows = 0;
        for (int item = 0; item < items.Length; item++)
        {
            if (item > 0 && items[item].Row < items[item - 1].Row)
            {
                throw new ArgumentException($"Item {item} has row {items[item].Row}, before the row of the item before it; order the items by row.", nameof(items));
            }

            if (item == 0 || items[item].Row != items[item - 1].Row)
            {
                _firstItem[rows++] = item;
            }
        }

        _firstItem[rows] = _itemCount;
        RowCount = rows;
        _room = rows > _room ? rows + Buffers.Headroom(rows) : _room;
        _softmax.AsSpan(0, rows).Clear();
        Buffers.Ensure(ref _shifts, _forBackward ? rows * BlockCount : 0);
        int tileLength = Math.Min(rows, _rowsAtOnce) * Math.Min(_weight.Rows, BlockLength);
        _keptCount = _forBackward && tileLength > 0 ? (int)Math.Min(TileCount, _keptLogits / tileLength) : 0;
        if (_kept.Length < _keptCount)
        {
            int before = _kept.Length;
            Array.Resize(ref _kept, _keptCount);
            _kept.AsSpan(before).Fill([]);
        }
    }

    private void GatherRows(Matrix hidden)
    {
        Matrix rows = new(Buffers.EnsureExactly(ref _hidden, checked(_room * hidden.Columns)), RowCount, hidden.Columns);
        _pool.RunBlocks(RowCount, BlockRows.RowsPerBlock(hidden), (this, hidden, rows), static (state, start, end) =>
        {
            (OutputHead head, Matrix hidden, Matrix rows) = state;
            for (int row = start; row < end; row++)
            {
                hidden.Row(head._items[head._firstItem[row]].Row).CopyTo(rows.Row(row));
            }
        });
    }

    private Tile TileAt(int index)
    {
        int firstRow = index / BlockCount * _rowsAtOnce;
        int block = index % BlockCount;
        return new Tile(index, firstRow, Math.Min(_rowsAtOnce, RowCount - firstRow), block, Math.Min(BlockLength, _weight.Rows - (block * BlockLength)));
    }

    private Matrix Logits(in Tile tile)
    {
        ref float[] buffer = ref tile.Index < _keptCount ? ref _kept[tile.Index] : ref _passing;
        return new Matrix(Buffers.Ensure(ref buffer, tile.RowCount * tile.Length), tile.RowCount, tile.Length);
    }

    private Matrix WeightOf(in Tile tile) => Matrix.Of(_weight).RowRange(tile.Start, tile.Length);

    private Matrix RowsOf(float[] rows, in Tile tile) => new(rows, tile.FirstRow * _weight.Columns, tile.RowCount, _weight.Columns, _weight.Columns);

    // A tile's rows into their running sums; for the backward pass they become exponentials, and what was summed of earlier ones moves to the new maximum.
    private void Fold(in Tile tile, Matrix logits, int start, int end)
    {
        for (int i = start; i < end; i++)
        {
            int row = tile.FirstRow + i;
            for (int item = _firstItem[row]; item < _firstItem[row + 1]; item++)
            {
                int column = _items[item].Target - tile.Start;
                if ((uint)column < (uint)tile.Length)
                {
                    _values[item] = logits.Row(i)[column];
                }
            }

            if (_forBackward)
            {
                double factor = _softmax[row].Exponentiate(logits.Row(i));
                if (factor != 1)
                {
                    RowKernels.Scale(ExpectedOf(row), (float)factor);
                }

                _shifts[(tile.Block * RowCount) + row] = _softmax[row].Maximum;
            }
            else
            {
                _softmax[row].Add(logits.Row(i));
            }

            if (tile.Block == BlockCount - 1)
            {
                Finish(row);
            }
        }
    }

    private void Finish(int row)
    {
        double logSumExp = _softmax[row].LogSumExp;
        if (!double.IsFinite(logSumExp))
        {
            ThrowNotFinite(row);
        }

        _logSumExps[row] = logSumExp;
        _entropies[row] = _softmax[row].Entropy;
        for (int item = _firstItem[row]; item < _firstItem[row + 1]; item++)
        {
            _values[item] -= logSumExp;
        }
    }

    private void ThrowNotFinite(int row)
    {
        int source = _items[_firstItem[row]].Row;
        foreach (float value in _hidden.AsSpan(row * _weight.Columns, _weight.Columns))
        {
            if (!float.IsFinite(value))
            {
                throw new NotFiniteNumberException($"The network's output is not finite at row {source}.", value);
            }
        }

        throw new NotFiniteNumberException($"The logits are not finite at row {source}, where the network's output is: the head's weight is not, or their product overflows.", _softmax[row].LogSumExp);
    }

    private Span<float> ExpectedOf(int row) => _expected.AsSpan(row * _weight.Columns, _weight.Columns);

    // Some rows by a block of the vocabulary.
    private readonly record struct Tile(int Index, int FirstRow, int RowCount, int Block, int Length)
    {
        public int Start => Block * BlockLength;
    }
}
