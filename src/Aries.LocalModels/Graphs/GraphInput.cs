namespace Aries;

/// <summary>An input of an ONNX graph.</summary>
/// <param name="Name">Its name.</param>
/// <param name="ElementType">The number of its type in the ONNX standard.</param>
/// <param name="Dimensions">The size of each dimension; a size below 1 stands for one that varies.</param>
internal sealed record GraphInput(string Name, int ElementType, IReadOnlyList<long> Dimensions);
