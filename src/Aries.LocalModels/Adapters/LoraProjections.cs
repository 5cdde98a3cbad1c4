namespace Aries;

/// <summary>The projections of a layer that a low-rank adapter may change.</summary>
[Flags]
public enum LoraProjections
{
    /// <summary>No projection; not a valid target.</summary>
    None = 0,

    /// <summary><c>q_proj</c>.</summary>
    Query = 1,

    /// <summary><c>k_proj</c>.</summary>
    Key = 2,

    /// <summary><c>v_proj</c>.</summary>
    Value = 4,

    /// <summary><c>o_proj</c>.</summary>
    Output = 8,

    /// <summary><c>gate_proj</c>.</summary>
    Gate = 16,

    /// <summary><c>up_proj</c>.</summary>
    Up = 32,

    /// <summary><c>down_proj</c>.</summary>
    Down = 64,

    /// <summary>The four projections of attention.</summary>
    Attention = Query | Key | Value | Output,

    /// <summary>Every linear projection of a layer: what PEFT calls <c>all-linear</c>.</summary>
    All = Attention | Gate | Up | Down,
}
