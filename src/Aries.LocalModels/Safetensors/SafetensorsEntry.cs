namespace Aries;

/// <summary>One tensor that a safetensors header lists.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its element type.</param>
/// <param name="TypeName">The element type as the file spells it.</param>
/// <param name="Shape">Its dimensions; none for a scalar.</param>
/// <param name="Start">The first byte, counted from the end of the header.</param>
/// <param name="ByteLength">The number of bytes.</param>
internal sealed record SafetensorsEntry(
    string Name, SafetensorsType Type, string TypeName, IReadOnlyList<long> Shape, long Start, long ByteLength)
{
    public long ElementCount
    {
        get
        {
            long count = 1;
            foreach (long dimension in Shape)
            {
                count *= dimension;
            }

            return count;
        }
    }

    public string ShapeText => $"[{string.Join(", ", Shape)}]";
}
