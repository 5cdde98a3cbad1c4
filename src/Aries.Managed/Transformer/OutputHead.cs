using Aries.Preferences;

namespace Aries.Managed;

/// <summary>From hidden rows to log-probabilities of given tokens, and back. [rows, vocabulary] is held for a chunk of rows only.</summary>
/// <threadsafety>Not thread-safe: it keeps its buffers.</threadsafety>
internal sealed class OutputHead
{
    // 32 MB of logits: the rows of a usual micro-batch of a small model are one chunk, whose logits the backward pass finds still there.
    private const int DefaultLogitBudget = 8 << 20;
    private const int SmallestChunk = 16;

    private readonly Parameter _weight;
    private readonly WorkerPool _pool;
    private readonly List<Chunk> _chunks = [];
    private readonly int _logitBudget;
    private ScoredItem[] _items = [];
    private int[] _targets = [];
    private int[] _zeros = [];
    private double[] _values = [];
    private int _itemCount;
    private int[] _firstItem = [0];
    private double[] _logSumExps = [];
    private double[] _entropies = [];
    private float[] _hidden = [];
    private float[] _hiddenGradient = [];
    private float[] _logits = [];

    /// <summary>Creates the head of a model.</summary>
    /// <param name="weights">The model's weights, read at each call.</param>
    /// <param name="pool">The threads.</param>
    /// <param name="logitBudget">How many logits are held at once, at least; it changes no bit of the log-probabilities.</param>
    public OutputHead(LlamaWeights weights, WorkerPool pool, int logitBudget = DefaultLogitBudget)
    {
        _logitBudget = logitBudget;
        _weight = weights.Head;
        _pool = pool;
    }

    /// <summary>Gets the number of rows that the last items name.</summary>
    public int RowCount { get; private set; }

    /// <summary>Computes the log-probability of each item, in nats.</summary>
    /// <param name="hidden">What <see cref="Transformer.Forward"/> returned. Shape [rows, H].</param>
    /// <param name="items">The items, ordered by row.</param>
    /// <param name="logProbabilities">Receives log softmax(hidden·Wᵀ)[target] of each item; its sums are float64.</param>
    /// <returns>The mean entropy of the rows' distributions, in nats; 0 without items.</returns>
    /// <exception cref="NotFiniteNumberException">A hidden row holds NaN or infinity.</exception>
    public double LogProbabilities(Matrix hidden, ReadOnlySpan<ScoredItem> items, Span<double> logProbabilities)
    {
        Plan(items);
        double entropy = 0;
        foreach (Chunk chunk in _chunks)
        {
            ComputeLogits(hidden, chunk);
            _pool.Run(chunk.RowCount, (this, chunk), static (state, row) => state.Item1.Reduce(state.chunk, row));
            for (int row = 0; row < chunk.RowCount; row++)
            {
                entropy += _entropies[chunk.FirstRow + row];
            }
        }

        _values.AsSpan(0, items.Length).CopyTo(logProbabilities);
        return RowCount == 0 ? 0 : entropy / RowCount;
    }

    /// <summary>Back-propagates Σ coefficient·log-probability over the items of the last <see cref="LogProbabilities"/>.</summary>
    /// <param name="hidden">The same hidden rows.</param>
    /// <param name="coefficients">∂loss/∂log-probability of each item.</param>
    /// <param name="hiddenGradient">Receives ∂loss/∂hidden; rows without items become 0. Shape [rows, H].</param>
    /// <param name="weightGradient">∂loss/∂W is added to it; null where the head is not trained.</param>
    public void Backward(Matrix hidden, ReadOnlySpan<double> coefficients, Matrix hiddenGradient, Parameter? weightGradient)
    {
        hiddenGradient.Clear();
        coefficients[.._itemCount].CopyTo(_values);
        int width = _weight.Columns;
        foreach (Chunk chunk in _chunks)
        {
            if (_chunks.Count > 1)
            {
                ComputeLogits(hidden, chunk);
            }

            _pool.Run(chunk.RowCount, (this, chunk), static (state, row) => state.Item1.Differentiate(state.chunk, row));
            Matrix logitGradient = new(_logits, chunk.RowCount, _weight.Rows);
            Matrix rows = new(_hidden, chunk.RowCount, width);
            Matrix rowGradient = new(Buffers.Ensure(ref _hiddenGradient, chunk.RowCount * width), chunk.RowCount, width);
            MatrixProduct.Times(logitGradient, _weight, rowGradient, accumulate: false, _pool);
            if (weightGradient is not null)
            {
                MatrixProduct.TransposedTimes(logitGradient, rows, weightGradient, accumulate: true, _pool);
            }

            for (int row = 0; row < chunk.RowCount; row++)
            {
                rowGradient.Row(row).CopyTo(hiddenGradient.Row(_items[_firstItem[chunk.FirstRow + row]].Row));
            }
        }
    }

    private void Plan(ReadOnlySpan<ScoredItem> items)
    {
        _chunks.Clear();
        if (_items.Length < items.Length)
        {
            int length = items.Length + (items.Length / 8);
            _items = new ScoredItem[length];
            _targets = new int[length];
            _zeros = new int[length];
            _values = new double[length];
            _firstItem = new int[length + 1];
            _logSumExps = new double[length];
            _entropies = new double[length];
        }

        items.CopyTo(_items);
        _itemCount = items.Length;
        int rows = 0;
        for (int item = 0; item < items.Length; item++)
        {
            _targets[item] = items[item].Target;
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
        int chunkRows = Math.Max(SmallestChunk, _logitBudget / _weight.Rows);
        for (int first = 0; first < rows; first += chunkRows)
        {
            _chunks.Add(new Chunk(first, Math.Min(chunkRows, rows - first)));
        }
    }

    private (int First, int End) ItemsOf(int row) => (_firstItem[row], _firstItem[row + 1]);

    private void ComputeLogits(Matrix hidden, Chunk chunk)
    {
        int width = _weight.Columns;
        Matrix rows = new(Buffers.Ensure(ref _hidden, chunk.RowCount * width), chunk.RowCount, width);
        for (int row = 0; row < chunk.RowCount; row++)
        {
            int source = _items[_firstItem[chunk.FirstRow + row]].Row;
            hidden.Row(source).CopyTo(rows.Row(row));
            float square = RowKernels.Dot(rows.Row(row), rows.Row(row));
            if (!float.IsFinite(square))
            {
                throw new NotFiniteNumberException($"The network's output is not finite at row {source} of {hidden.Rows}.", square);
            }
        }

        Matrix logits = new(Buffers.Ensure(ref _logits, chunk.RowCount * _weight.Rows), chunk.RowCount, _weight.Rows);
        MatrixProduct.TimesTransposed(rows, _weight, logits, accumulate: false, _pool);
    }

    private void Reduce(Chunk chunk, int row)
    {
        int index = chunk.FirstRow + row;
        try
        {
            LogSoftmaxKernel.LogSumExps(Logits(row), _weight.Rows, _logSumExps.AsSpan(index, 1), _entropies.AsSpan(index, 1));
        }
        catch (ArgumentException exception)
        {
            throw new NotFiniteNumberException($"The logits are not finite: {exception.Message}", RowKernels.Max(Logits(row)), exception);
        }

        (int first, int end) = ItemsOf(index);
        for (int item = first; item < end; item++)
        {
            _values[item] = Logits(row)[_targets[item]] - _logSumExps[index];
        }
    }

    private void Differentiate(Chunk chunk, int row)
    {
        (int first, int end) = ItemsOf(chunk.FirstRow + row);
        int count = end - first;
        LogSoftmaxKernel.Gradient(
            Logits(row), _weight.Rows, _logSumExps.AsSpan(chunk.FirstRow + row, 1), _zeros.AsSpan(0, count), _targets.AsSpan(first, count), _values.AsSpan(first, count));
    }

    private Span<float> Logits(int row) => _logits.AsSpan(row * _weight.Rows, _weight.Rows);

    private readonly record struct Chunk(int FirstRow, int RowCount);
}
