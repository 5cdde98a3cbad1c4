namespace Aries;

/// <summary>What the chains of a collection or of an evaluation came to.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record ChainsReport
{
    /// <summary>Gets the number of chains.</summary>
    public int ChainCount { get; init; }

    /// <summary>Gets how many chains failed; their drafts before the failure count.</summary>
    public int FailedCount { get; init; }

    /// <summary>Gets the turns, first to last.</summary>
    public IReadOnlyList<TurnReport> Turns { get; init; } = [];

    /// <summary>Gets the tokens read and written.</summary>
    public TokenUsage Usage { get; init; }

    /// <summary>Gets Pearson's correlation of the selection score and the true score over all drafts: a policy that exploits its scorer lowers it.</summary>
    /// <value>−1 to 1; null where not both scorers are there, or one of them gives all drafts the same score.</value>
    public double? ScoreCorrelation { get; init; }

    /// <summary>Gets how long it took. Time before an interruption does not count.</summary>
    public TimeSpan Duration { get; init; }
}
