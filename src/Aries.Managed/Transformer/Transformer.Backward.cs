namespace Aries.Managed;

/// <content>The backward pass, written out layer by layer.</content>
internal sealed partial class Transformer
{
    private float[] _lowGradient = [];
    private float[] _residualGradient = [];
    private float[] _normedGradient = [];
    private float[] _keyGradient = [];
    private float[] _valueGradient = [];
    private float[] _blockSums = [];

    /// <summary>Returns memory for ∂L/∂(what <see cref="Forward"/> returned), which <see cref="Backward"/> has no use for before it has read it there.</summary>
    public Matrix HiddenGradient(int rows) => Work(ref _normedGradient, rows, Config.HiddenSize);

    /// <summary>Back-propagates through every layer, and adds to the gradients of the weights or of the adapter.</summary>
    /// <param name="batch">The batch of the last <see cref="Forward"/>, whose slots are its rows: all that its rows see is in it.</param>
    /// <param name="store">The same store.</param>
    /// <param name="tape">The tape of that pass, which is used up.</param>
    /// <param name="hiddenGradient">∂L/∂(what <see cref="Forward"/> returned). Shape [rows, H].</param>
    /// <param name="gradients">What is trained. The output head's own share is <see cref="OutputHead.Backward"/>'s.</param>
    /// <param name="cancellationToken">Looked at before each layer.</param>
    /// <exception cref="ArgumentException">The tape holds another pass, or a slot is not the row's own.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the gradients hold a part of the sum.</exception>
    public void Backward(
        RowBatch batch, KeyValueStore store, ForwardTape tape, Matrix hiddenGradient, ModelGradients gradients, CancellationToken cancellationToken = default)
    {
        int rows = batch.RowCount;
        int hidden = Config.HiddenSize;
        if (tape.RowCount != rows)
        {
            throw new ArgumentException($"The tape holds a pass of {tape.RowCount} rows; the batch has {rows}.", nameof(tape));
        }

        if (!batch.SlotsAreConsecutive || batch.SlotLimit != rows)
        {
            throw new ArgumentException("The backward pass needs a batch whose slots are its rows.", nameof(batch));
        }

        Matrix residual = Work(ref _residualGradient, rows, hidden);
        residual.Clear();
        RmsNorm.Backward(
            Rows(tape.Output, rows, hidden), _weights.FinalNorm.Values, tape.OutputScale, hiddenGradient, residual, gradients.Full?.FinalNorm.Values, ref _blockSums, _pool);
        for (int layer = Config.LayerCount - 1; layer >= 0; layer--)
        {
            cancellationToken.ThrowIfCancellationRequested();
            LayerActivations activations = tape.Layer(layer);
            if (tape.Recompute)
            {
                ForwardLayer(layer, batch, store, activations);
                if (_adapter?.Layers[layer].Down is { } down)
                {
                    Project(_weights.Layers[layer].Down, down, activations.DownLow).ComputeLow(Unit(activations, rows), _pool);
                }
            }

            BackwardFeedForward(layer, activations, residual, gradients);
            BackwardAttention(layer, batch, store, activations, residual, gradients);
        }

        if (gradients.Full is { } full)
        {
            RowOperations.ScatterAdd(residual, batch.TokenArray, full.Embedding, _pool);
        }
    }

    // residual: ∂L/∂(the layer's output) in, ∂L/∂Middle out.
    private void BackwardFeedForward(int index, LayerActivations activations, Matrix residual, ModelGradients gradients)
    {
        LlamaLayerWeights layer = _weights.Layers[index];
        LoraLayerWeights? adapter = _adapter?.Layers[index];
        LlamaLayerWeights? full = gradients.Full?.Layers[index];
        LoraLayerWeights? low = gradients.Adapter?.Layers[index];
        int rows = residual.Rows;
        int hidden = Config.HiddenSize;
        int inner = Config.IntermediateSize;
        Matrix middle = Rows(activations.Middle, rows, hidden);
        Matrix normed = Work(ref _normed, rows, hidden);
        Matrix normedGradient = Work(ref _normedGradient, rows, hidden);
        Matrix unit = Unit(activations, rows);

        // Each gradient takes the place of its value, which nobody asks for any more.
        (Matrix unitGradient, Matrix gateGradient, Matrix upGradient) = (unit, Rows(activations.Gate, rows, inner), Rows(activations.Up, rows, inner));
        Project(layer.Down, adapter?.Down, activations.DownLow).Backward(
            unit, residual, unitGradient, accumulate: false, full?.Down, low?.Down, ref _lowGradient, _pool);
        SwiGlu.Backward(Rows(activations.Gate, rows, inner), Rows(activations.Up, rows, inner), unitGradient, gateGradient, upGradient, _pool);

        RmsNorm.Forward(middle, layer.FeedForwardNorm.Values, Config.RmsNormEpsilon, normed, null, _pool);
        Project(layer.Gate, adapter?.Gate, activations.GateLow).Backward(
            normed, gateGradient, normedGradient, accumulate: false, full?.Gate, low?.Gate, ref _lowGradient, _pool);
        Project(layer.Up, adapter?.Up, activations.UpLow).Backward(
            normed, upGradient, normedGradient, accumulate: true, full?.Up, low?.Up, ref _lowGradient, _pool);
        RmsNorm.Backward(
            middle, layer.FeedForwardNorm.Values, activations.MiddleScale, normedGradient, residual, full?.FeedForwardNorm.Values, ref _blockSums, _pool);
    }

    // residual: ∂L/∂Middle in, ∂L/∂Input out.
    private void BackwardAttention(
        int index, RowBatch batch, KeyValueStore store, LayerActivations activations, Matrix residual, ModelGradients gradients)
    {
        LlamaLayerWeights layer = _weights.Layers[index];
        LoraLayerWeights? adapter = _adapter?.Layers[index];
        LlamaLayerWeights? full = gradients.Full?.Layers[index];
        LoraLayerWeights? low = gradients.Adapter?.Layers[index];
        int rows = residual.Rows;
        int hidden = Config.HiddenSize;
        int queryWidth = Config.HeadCount * Config.HeadSize;
        Matrix input = Rows(activations.Input, rows, hidden);
        Matrix normedGradient = Work(ref _normedGradient, rows, hidden);
        Matrix queryGradient = Rows(activations.Query, rows, queryWidth);
        Matrix keyGradient = Work(ref _keyGradient, rows, store.Width);
        Matrix valueGradient = Work(ref _valueGradient, rows, store.Width);

        // The normalised rows are not there yet.
        Matrix attentionGradient = Work(ref _normed, rows, queryWidth);

        Project(layer.Output, adapter?.Output, activations.OutputLow).Backward(
            Rows(activations.Attention, rows, queryWidth), residual, attentionGradient, accumulate: false, full?.Output, low?.Output, ref _lowGradient, _pool);
        _attention.Backward(activations, store.Keys(index), store.Values(index), attentionGradient, queryGradient, keyGradient, valueGradient);
        _rotary.Backward(queryGradient, batch.PositionArray, _pool);
        _rotary.Backward(keyGradient, batch.PositionArray, _pool);
        AddRows(queryGradient, full?.QueryBias);
        AddRows(keyGradient, full?.KeyBias);
        AddRows(valueGradient, full?.ValueBias);

        // Below the first layer lies the embedding, which an adapter leaves alone.
        bool needsInput = full is not null || index > 0;
        Matrix? target = needsInput ? normedGradient : (Matrix?)null;
        Matrix normed = Work(ref _normed, rows, hidden);
        RmsNorm.Forward(input, layer.AttentionNorm.Values, Config.RmsNormEpsilon, normed, null, _pool);
        Project(layer.Query, adapter?.Query, activations.QueryLow).Backward(
            normed, queryGradient, target, accumulate: false, full?.Query, low?.Query, ref _lowGradient, _pool);
        Project(layer.Key, adapter?.Key, activations.KeyLow).Backward(
            normed, keyGradient, target, accumulate: true, full?.Key, low?.Key, ref _lowGradient, _pool);
        Project(layer.Value, adapter?.Value, activations.ValueLow).Backward(
            normed, valueGradient, target, accumulate: true, full?.Value, low?.Value, ref _lowGradient, _pool);
        if (needsInput)
        {
            RmsNorm.Backward(input, layer.AttentionNorm.Values, activations.InputScale, normedGradient, residual, full?.AttentionNorm.Values, ref _blockSums, _pool);
        }
    }

    private void AddRows(Matrix rows, Parameter? sum)
    {
        if (sum is not null)
        {
            RowOperations.AddRowsTo(rows, sum.Values, _pool);
        }
    }
}
