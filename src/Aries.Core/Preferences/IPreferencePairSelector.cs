namespace Aries;

/// <summary>Makes preference pairs out of a chain.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public interface IPreferencePairSelector
{
    /// <summary>Gets whether the selector reads scores, so that a chain must be scored before.</summary>
    bool NeedsScores { get; }

    /// <summary>Makes the pairs of one chain.</summary>
    /// <param name="trace">The chain, scored if <see cref="NeedsScores"/> says so.</param>
    /// <returns>The pairs, and a reason for each pair that was dropped.</returns>
    PairSelection SelectPairs(RefinementTrace trace);
}
