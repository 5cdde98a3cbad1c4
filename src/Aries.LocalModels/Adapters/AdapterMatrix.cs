namespace Aries;

/// <summary>A matrix of an adapter, as an input of a graph takes it.</summary>
/// <param name="Name">The input's name.</param>
/// <param name="Rows">The first dimension.</param>
/// <param name="Columns">The second.</param>
/// <param name="Scale">What the adapter's own values are multiplied with.</param>
/// <param name="Type">The type of the input.</param>
internal sealed record AdapterMatrix(string Name, int Rows, int Columns, float Scale, GraphFloatType Type)
{
    /// <summary>Gets the size of its values.</summary>
    public long ByteCount => (long)Rows * Columns * Type.Size();
}
