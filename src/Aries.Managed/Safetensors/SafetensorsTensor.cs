namespace Aries.Managed;

/// <summary>A tensor to write.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Values">Its values, row-major; as many as the product of the dimensions.</param>
internal readonly record struct SafetensorsTensor(string Name, IReadOnlyList<int> Shape, ReadOnlyMemory<float> Values)
{
    /// <summary>Describes a parameter of a model: norms and biases have one dimension, everything else two.</summary>
    public static SafetensorsTensor Of(Parameter parameter, string? name = null)
    {
        bool isVector = parameter.Name.EndsWith("norm.weight", StringComparison.Ordinal) || parameter.Name.EndsWith(".bias", StringComparison.Ordinal);
        return new SafetensorsTensor(name ?? parameter.Name, isVector ? [parameter.Columns] : [parameter.Rows, parameter.Columns], parameter.Values);
    }
}
