namespace Aries;

/// <summary>The drafts of one turn of many chains. Turn 1 is the direct answer, later turns are refinements.</summary>
/// <remarks>
/// A chain that ended before the turn counts with its last draft: the answer that a user would have by then. Chains without any draft are left out.
/// Means over drafts that have a score; null where none has.
/// </remarks>
/// <threadsafety>Immutable.</threadsafety>
public sealed record TurnReport
{
    /// <summary>Gets the turn; from 1.</summary>
    public required int Turn { get; init; }

    /// <summary>Gets the number of drafts.</summary>
    public int DraftCount { get; init; }

    /// <summary>Gets how many drafts have no score: the scorer could not score them.</summary>
    public int UnscoredCount { get; init; }

    /// <summary>Gets how many drafts the token limit cut.</summary>
    public int TruncatedCount { get; init; }

    /// <summary>Gets the mean true score; by the scorer where there is no true one.</summary>
    public double? MeanScore { get; init; }

    /// <summary>Gets the mean score by the scorer that pairs are selected with; null in an evaluation, which asks the true scorer alone.</summary>
    public double? MeanSelectionScore { get; init; }

    /// <summary>Gets the share of scored drafts that are right: their true score is <see cref="AriesLoopOptions.CorrectAt"/> or more.</summary>
    /// <value>0 to 1.</value>
    public double? CorrectFraction { get; init; }

    /// <summary>Gets how many chains were right in turn 1 and are wrong in this one.</summary>
    public int RightToWrongCount { get; init; }

    /// <summary>Gets how many chains were wrong in turn 1 and are right in this one.</summary>
    public int WrongToRightCount { get; init; }

    /// <summary>Gets <see cref="RightToWrongCount"/> as a share of the chains that were right in turn 1 and are scored in both.</summary>
    /// <value>0 to 1; null where there is none.</value>
    public double? RightToWrongFraction { get; init; }

    /// <summary>Gets <see cref="WrongToRightCount"/> as a share of the chains that were wrong in turn 1 and are scored in both.</summary>
    /// <value>0 to 1; null where there is none.</value>
    public double? WrongToRightFraction { get; init; }

    /// <summary>Gets the mean length in characters (UTF-16 code units).</summary>
    public double MeanCharacters { get; init; }

    /// <summary>Gets the mean length in tokens, the end token included; 0 where the backend does not report tokens.</summary>
    public double MeanTokens { get; init; }

    /// <summary>Gets distinct-1: different words over all words of the turn's drafts, split at white space.</summary>
    /// <value>Greater than 0, at most 1; 0 where there is no word.</value>
    public double Distinct1 { get; init; }

    /// <summary>Gets distinct-2: different pairs of neighbouring words over all such pairs of the turn's drafts.</summary>
    /// <value>Greater than 0, at most 1; 0 where there is no pair.</value>
    public double Distinct2 { get; init; }
}
