namespace Aries.Managed;

/// <summary>What one layer computes for every row, and its backward pass reads again, once: gradients take the place of what they are the gradients of.</summary>
internal sealed class LayerActivations
{
    /// <summary>The residual stream before the layer. Shape [rows, H].</summary>
    public float[] Input = [];

    /// <summary>1 ÷ root mean square of <see cref="Input"/>. Shape [rows].</summary>
    public float[] InputScale = [];

    /// <summary>Rotated queries; after the backward pass, the gradients of the projection's outputs. Shape [rows, heads × head size].</summary>
    public float[] Query = [];

    /// <summary>What attention returns, before its output projection. Shape [rows, heads × head size].</summary>
    public float[] Attention = [];

    /// <summary>The log-sum-exp of each row's scores, a head each. Shape [rows, heads].</summary>
    public float[] LogSumExp = [];

    /// <summary>The residual stream between attention and the feed-forward block. Shape [rows, H].</summary>
    public float[] Middle = [];

    /// <summary>1 ÷ root mean square of <see cref="Middle"/>. Shape [rows].</summary>
    public float[] MiddleScale = [];

    /// <summary>After the backward pass, its gradient. Shape [rows, I].</summary>
    public float[] Gate = [];

    /// <summary>After the backward pass, its gradient. Shape [rows, I].</summary>
    public float[] Up = [];

    private int _room;

    public LowRows QueryLow { get; } = new();

    public LowRows KeyLow { get; } = new();

    public LowRows ValueLow { get; } = new();

    public LowRows OutputLow { get; } = new();

    public LowRows GateLow { get; } = new();

    public LowRows UpLow { get; } = new();

    public LowRows DownLow { get; } = new();

    /// <summary>Makes the arrays large enough for so many rows, and for some more where they grow; old values are lost.</summary>
    public void Ensure(LlamaConfig config, int rows)
    {
        if (rows > _room)
        {
            Reserve(config, rows + Buffers.Headroom(rows), inputOnly: false);
        }
    }

    /// <summary>Makes the arrays large enough for so many rows; old values are lost.</summary>
    public void Reserve(LlamaConfig config, int rows, bool inputOnly)
    {
        Buffers.EnsureExactly(ref Input, rows * config.HiddenSize);
        if (inputOnly)
        {
            return;
        }

        _room = Math.Max(_room, rows);
        Buffers.EnsureExactly(ref InputScale, rows);
        Buffers.EnsureExactly(ref MiddleScale, rows);
        Buffers.EnsureExactly(ref Query, rows * config.HeadCount * config.HeadSize);
        Buffers.EnsureExactly(ref Attention, rows * config.HeadCount * config.HeadSize);
        Buffers.EnsureExactly(ref LogSumExp, rows * config.HeadCount);
        Buffers.EnsureExactly(ref Middle, rows * config.HiddenSize);
        Buffers.EnsureExactly(ref Gate, rows * config.IntermediateSize);
        Buffers.EnsureExactly(ref Up, rows * config.IntermediateSize);
        ReadOnlySpan<LowRows> lows = [QueryLow, KeyLow, ValueLow, OutputLow, GateLow, UpLow, DownLow];
        foreach (LowRows low in lows)
        {
            low.Room = _room;
        }
    }
}
