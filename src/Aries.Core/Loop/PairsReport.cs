namespace Aries;

/// <summary>The preference pairs of a round.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record PairsReport
{
    /// <summary>Gets how many pairs were kept.</summary>
    public int KeptCount { get; init; }

    /// <summary>Gets how many pairs were dropped, by reason: constants of <see cref="PairDropReasons"/> or the selector's own.</summary>
    public IReadOnlyDictionary<string, int> Drops { get; init; } = new Dictionary<string, int>();

    /// <summary>Gets how many pairs' chosen response has the higher true score; null without a true scorer.</summary>
    public int? RightCount { get; init; }

    /// <summary>Gets how many pairs' chosen response has the lower true score; null without a true scorer.</summary>
    public int? WrongCount { get; init; }

    /// <summary>Gets how many pairs' responses have equal true scores; null without a true scorer.</summary>
    public int? EqualCount { get; init; }

    /// <summary>Gets the mean length of the chosen responses in characters; a selector that prefers length shows here.</summary>
    public double MeanChosenCharacters { get; init; }

    /// <summary>Gets the mean length of the rejected responses in characters.</summary>
    public double MeanRejectedCharacters { get; init; }
}
