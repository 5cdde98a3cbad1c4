using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <summary>From hidden rows to log-probabilities of given tokens, and back. [rows, vocabulary] is held for a chunk of rows only.</summary>
/// <threadsafety>Not thread-safe: it keeps its buffers.</threadsafety>
internal sealed class OutputHead
{
    // 32 MB of logits: the rows of a usual micro-batch of a small model are one chunk, whose logits the backward pass finds still there.
    private const int LogitBudget = 8 << 20;
    private const int SmallestChunk = 16;

    private readonly Parameter _weight;
    private readonly WorkerPool _pool;
    private readonly List<Chunk> _chunks = [];
    private ScoredItem[] _items = [];
    private int _itemCount;
    private int[] _firstItem = [];
    private double[] _logSumExps = [];
    private double[] _entropies = [];
    private float[] _hidden = [];
    private float[] _hiddenGradient = [];
    private float[] _logits = [];

    public OutputHead(LlamaWeights weights, WorkerPool pool)
    {
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
                (int first, int end) = ItemsOf(chunk.FirstRow + row);
                for (int item = first; item < end; item++)
                {
                    logProbabilities[item] = _logits[(row * _weight.Rows) + _items[item].Target] - _logSumExps[chunk.FirstRow + row];
                }
            }
        }

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
        int width = _weight.Columns;
        foreach (Chunk chunk in _chunks)
        {
            if (_chunks.Count > 1)
            {
                ComputeLogits(hidden, chunk);
            }

            for (int row = 0; row < chunk.RowCount; row++)
            {
                (int first, int end) = ItemsOf(chunk.FirstRow + row);
                double total = 0;
                for (int item = first; item < end; item++)
                {
                    total += coefficients[item];
                }

                _entropies[chunk.FirstRow + row] = total;
            }

            _pool.Run(chunk.RowCount, (this, chunk), static (state, row) => state.Item1.Differentiate(state.chunk, row));
            for (int row = 0; row < chunk.RowCount; row++)
            {
                (int first, int end) = ItemsOf(chunk.FirstRow + row);
                for (int item = first; item < end; item++)
                {
                    _logits[(row * _weight.Rows) + _items[item].Target] += (float)coefficients[item];
                }
            }

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
            _firstItem = new int[length + 1];
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

        if (_firstItem.Length > rows)
        {
            _firstItem[rows] = _itemCount;
        }

        RowCount = rows;
        int chunkRows = Math.Max(SmallestChunk, LogitBudget / _weight.Rows);
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

    // log Σ exp(x) and the entropy log Z − Σ p·x of one row.
    private void Reduce(Chunk chunk, int row)
    {
        ReadOnlySpan<float> logits = _logits.AsSpan(row * _weight.Rows, _weight.Rows);
        ref float first = ref MemoryMarshal.GetReference(logits);
        Vector512<float> highest = Vector512.Create(float.NegativeInfinity);
        int whole = logits.Length & ~15;
        for (nuint i = 0; i < (nuint)whole; i += 16)
        {
            highest = Vector512.Max(highest, Vector512.LoadUnsafe(ref first, i));
        }

        float maximum = float.NegativeInfinity;
        for (int lane = 0; lane < 16; lane++)
        {
            maximum = MathF.Max(maximum, highest[lane]);
        }

        foreach (float logit in logits[whole..])
        {
            maximum = MathF.Max(maximum, logit);
        }

        // Sixteen float64 sums: a vocabulary of 150 000 float32 terms would lose digits in one float32 sum.
        Vector512<float> shift = Vector512.Create(maximum);
        Vector512<double> sum = Vector512<double>.Zero;
        Vector512<double> weighted = Vector512<double>.Zero;
        for (nuint i = 0; i < (nuint)whole; i += 16)
        {
            Vector512<float> x = Vector512.LoadUnsafe(ref first, i) - shift;
            Vector512<float> weight = Vector512.Exp(x);
            (Vector512<double> low, Vector512<double> high) = Vector512.Widen(weight);
            sum += low + high;
            (low, high) = Vector512.Widen(weight * x);
            weighted += low + high;
        }

        double total = Vector512.Sum(sum);
        double mean = Vector512.Sum(weighted);
        foreach (float logit in logits[whole..])
        {
            double weight = Math.Exp((double)logit - maximum);
            total += weight;
            mean += weight * ((double)logit - maximum);
        }

        double logTotal = Math.Log(total);
        _logSumExps[chunk.FirstRow + row] = maximum + logTotal;
        _entropies[chunk.FirstRow + row] = logTotal - (mean / total);
    }

    // In place: logits -> −total·softmax.
    private void Differentiate(Chunk chunk, int row)
    {
        Span<float> logits = _logits.AsSpan(row * _weight.Rows, _weight.Rows);
        float total = (float)_entropies[chunk.FirstRow + row];
        float logSumExp = (float)_logSumExps[chunk.FirstRow + row];
        ref float first = ref MemoryMarshal.GetReference(logits);
        Vector512<float> shift = Vector512.Create(logSumExp);
        Vector512<float> scale = Vector512.Create(-total);
        int whole = logits.Length & ~15;
        for (nuint i = 0; i < (nuint)whole; i += 16)
        {
            (scale * Vector512.Exp(Vector512.LoadUnsafe(ref first, i) - shift)).StoreUnsafe(ref first, i);
        }

        for (int i = whole; i < logits.Length; i++)
        {
            logits[i] = -total * MathF.Exp(logits[i] - logSumExp);
        }
    }

    private readonly record struct Chunk(int FirstRow, int RowCount);
}
