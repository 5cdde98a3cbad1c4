namespace Aries;

/// <summary>A chain that has ended, and the pairs that were made of it.</summary>
/// <param name="Trace">The chain; a failed one holds what came before, and its error.</param>
/// <param name="Selection">The pairs, and the reason for each that was dropped.</param>
/// <threadsafety>Immutable.</threadsafety>
public sealed record CollectedChain(RefinementTrace Trace, PairSelection Selection);
