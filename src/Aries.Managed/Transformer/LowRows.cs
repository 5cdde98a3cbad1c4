namespace Aries.Managed;

/// <summary>What the adapter of one projection makes of its input, (alpha ÷ rank)·x·Aᵀ: kept from the forward pass for the backward pass. Shape [rows, rank]; empty without an adapter.</summary>
internal sealed class LowRows
{
    public float[] Values = [];
}
