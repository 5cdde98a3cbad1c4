namespace Aries.Managed;

/// <summary>What the adapter of one projection makes of its input, (alpha ÷ rank)·x·Aᵀ: kept from the forward pass for the backward pass.</summary>
internal sealed class LowRows
{
    /// <summary>Shape [rows, rank]; empty until an adapter asks for it.</summary>
    public float[] Values = [];

    /// <summary>Gets or sets how many rows the array has room for once it is made.</summary>
    public int Room { get; set; }

    /// <summary>Makes the array large enough for so many rows; old values are lost if it grows.</summary>
    public void Ensure(int rows, int rank) => Buffers.EnsureExactly(ref Values, Math.Max(rows, Room) * rank);
}
