namespace Aries.Extensions.AI;

/// <summary>Two answers to compare.</summary>
/// <param name="Prompt">What the user asked.</param>
/// <param name="First">One answer.</param>
/// <param name="Second">The other.</param>
/// <threadsafety>Immutable.</threadsafety>
public sealed record PairwiseRequest(Prompt Prompt, string First, string Second);
