namespace Aries.OnnxRuntime.Graphs;

/// <summary>A projection of a Hugging Face model that a graph computes together with its neighbours.</summary>
/// <param name="Name">Its name, without <c>.weight</c>.</param>
/// <param name="Outputs">Its width.</param>
/// <param name="Projection">What an adapter's configuration calls it; none where adapters never change it.</param>
/// <param name="HasBias">Whether it has a bias.</param>
internal readonly record struct LinearPart(string Name, int Outputs, LoraProjections Projection, bool HasBias = false);
