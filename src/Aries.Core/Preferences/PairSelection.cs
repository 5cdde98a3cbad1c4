namespace Aries;

/// <summary>What a selector made of one chain.</summary>
/// <param name="Pairs">The pairs that were kept.</param>
/// <param name="Drops">Why each pair that was not kept was dropped: a constant of <see cref="PairDropReasons"/>, or a name of the selector's own; reports count them.</param>
/// <threadsafety>Immutable.</threadsafety>
public sealed record PairSelection(IReadOnlyList<PreferencePair> Pairs, IReadOnlyList<string> Drops);
