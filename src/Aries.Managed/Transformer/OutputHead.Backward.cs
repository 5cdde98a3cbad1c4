namespace Aries.Managed;

/// <content>The gradients.</content>
internal sealed partial class OutputHead
{
    // Columns of a row that one thread adds: whole cache lines, and enough of them.
    private const int SmallestShare = 64;

    /// <summary>Back-propagates Σ coefficient·log-probability over the items of the last <see cref="LogProbabilities"/>.</summary>
    /// <param name="coefficients">∂loss/∂log-probability of each item.</param>
    /// <param name="hiddenGradient">Receives ∂loss/∂hidden; rows without items become 0. Shape [rows, H].</param>
    /// <param name="weightGradient">∂loss/∂W is added to it; null where the head is not trained.</param>
    /// <exception cref="InvalidOperationException">The last log-probabilities were not computed for it.</exception>
    public void Backward(ReadOnlySpan<double> coefficients, Matrix hiddenGradient, Parameter? weightGradient)
    {
        if (!_forBackward)
        {
            throw new InvalidOperationException("Compute the log-probabilities with forBackward before their backward pass.");
        }

        coefficients[.._itemCount].CopyTo(_coefficients);
        if (RowCount < hiddenGradient.Rows)
        {
            hiddenGradient.Clear();
        }

        _pool.RunBlocks(RowCount, BlockRows.RowsPerBlock(hiddenGradient), (this, hiddenGradient), static (state, start, end) => state.Item1.HiddenGradient(state.hiddenGradient, start, end));
        if (weightGradient is not null)
        {
            WeightGradient(weightGradient);
        }
    }

    private void HiddenGradient(Matrix hiddenGradient, int start, int end)
    {
        for (int row = start; row < end; row++)
        {
            Span<float> gradient = hiddenGradient.Row(_items[_firstItem[row]].Row);
            RowKernels.Scale(ExpectedOf(row), (float)(-TotalOf(row) * Math.Exp(_softmax[row].Maximum - _logSumExps[row])), gradient);
            for (int item = _firstItem[row]; item < _firstItem[row + 1]; item++)
            {
                RowKernels.AddScaled(Matrix.Of(_weight).Row(_items[item].Target), (float)_coefficients[item], gradient);
            }
        }
    }

    private void WeightGradient(Parameter gradient)
    {
        int width = _weight.Columns;
        for (int index = 0; index < TileCount; index++)
        {
            Cancellation.ThrowIfCancellationRequested();
            Tile tile = TileAt(index);
            Matrix exponentials = Logits(tile);
            if (index >= _keptCount)
            {
                MatrixProduct.TimesTransposed(RowsOf(_hidden, tile), WeightOf(tile), exponentials, accumulate: false, _pool);
                _pool.RunBlocks(tile.RowCount, BlockRows.RowsPerBlock(exponentials), (this, tile, exponentials), static (state, start, end) =>
                    state.Item1.Exponentiate(state.tile, state.exponentials, start, end));
            }

            // Softmax times coefficient is the exponential times a factor of its row: the row of the other factor takes it, which is shorter.
            Matrix scaled = new(Buffers.Ensure(ref _scaled, tile.RowCount * width), tile.RowCount, width);
            _pool.RunBlocks(tile.RowCount, BlockRows.RowsPerBlock(scaled), (this, tile, scaled), static (state, start, end) => state.Item1.ScaleRows(state.tile, state.scaled, start, end));
            MatrixProduct.TransposedTimes(exponentials, scaled, Matrix.Of(gradient).RowRange(tile.Start, tile.Length), accumulate: true, _pool);
        }

        // Over columns: several items may name one token, and their sum must not depend on the threads.
        int columns = Math.Max(SmallestShare, (width + _pool.ThreadCount - 1) / _pool.ThreadCount);
        _pool.RunBlocks(width, columns, (this, gradient), static (state, start, end) => state.Item1.AddTargets(state.gradient, start, end));
    }

    private void Exponentiate(in Tile tile, Matrix logits, int start, int end)
    {
        for (int i = start; i < end; i++)
        {
            RowKernels.ExpShifted(logits.Row(i), MathF.Max(_shifts[(tile.Block * RowCount) + tile.FirstRow + i], float.MinValue));
        }
    }

    private void ScaleRows(in Tile tile, Matrix scaled, int start, int end)
    {
        for (int i = start; i < end; i++)
        {
            int row = tile.FirstRow + i;
            double factor = -TotalOf(row) * Math.Exp(_shifts[(tile.Block * RowCount) + row] - _logSumExps[row]);
            RowKernels.Scale(_hidden.AsSpan(row * _weight.Columns, _weight.Columns), (float)factor, scaled.Row(i));
        }
    }

    private void AddTargets(Parameter gradient, int start, int end)
    {
        Matrix rows = new(_hidden, RowCount, _weight.Columns);
        for (int row = 0; row < RowCount; row++)
        {
            for (int item = _firstItem[row]; item < _firstItem[row + 1]; item++)
            {
                RowKernels.AddScaled(rows.Row(row)[start..end], (float)_coefficients[item], Matrix.Of(gradient).Row(_items[item].Target)[start..end]);
            }
        }
    }

    private double TotalOf(int row)
    {
        double total = 0;
        for (int item = _firstItem[row]; item < _firstItem[row + 1]; item++)
        {
            total += _coefficients[item];
        }

        return total;
    }
}
