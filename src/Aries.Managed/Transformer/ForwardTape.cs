namespace Aries.Managed;

/// <summary>Keeps what the backward pass needs of a forward pass.</summary>
/// <remarks>With recomputation it keeps each layer's input only, and the backward pass runs each layer's forward once more: the same numbers from less memory.</remarks>
/// <threadsafety>Not thread-safe. It may serve one pass after another; it allocates only when a pass is larger than all before.</threadsafety>
internal sealed class ForwardTape
{
    private readonly LayerActivations[] _layers;
    private readonly LayerActivations? _recomputed;
    private int _room;

    public ForwardTape(LlamaConfig config, bool recompute = false)
    {
        _layers = [.. Enumerable.Range(0, config.LayerCount).Select(_ => new LayerActivations())];
        _recomputed = recompute ? new LayerActivations() : null;
    }

    public bool Recompute => _recomputed is not null;

    /// <summary>Gets the number of rows of the pass that the tape holds.</summary>
    public int RowCount { get; private set; }

    /// <summary>The residual stream after the last layer. Shape [rows, H].</summary>
    public float[] Output = [];

    /// <summary>1 ÷ root mean square of <see cref="Output"/>. Shape [rows].</summary>
    public float[] OutputScale = [];

    /// <summary>Makes room for a pass and takes up its size.</summary>
    public void Begin(LlamaConfig config, int rows)
    {
        RowCount = rows;
        if (rows > _room)
        {
            Reserve(config, rows + Buffers.Headroom(rows));
        }
    }

    /// <summary>Makes room for passes of so many rows; what the tape holds is lost if it grows.</summary>
    public void Reserve(LlamaConfig config, int rows)
    {
        _room = Math.Max(_room, rows);
        foreach (LayerActivations layer in _layers)
        {
            layer.Reserve(config, rows, inputOnly: Recompute);
        }

        _recomputed?.Reserve(config, rows, inputOnly: false);
        Buffers.EnsureExactly(ref OutputScale, rows);
        Buffers.EnsureExactly(ref Output, rows * config.HiddenSize);
    }

    /// <summary>Gets the activations of a layer: its own, or with recomputation the one set that all layers fill in turn, given the layer's own input.</summary>
    public LayerActivations Layer(int index)
    {
        if (_recomputed is null)
        {
            return _layers[index];
        }

        _recomputed.Input = _layers[index].Input;
        return _recomputed;
    }

    /// <summary>Gets the array that receives a layer's output: the next layer's input.</summary>
    public float[] OutputOf(int layer) => layer + 1 < _layers.Length ? _layers[layer + 1].Input : Output;
}
