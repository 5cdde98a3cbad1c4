using System.Globalization;

namespace Aries;

/// <summary>A scorer did not keep its contract: the number of its scores is wrong, or a score is no finite number.</summary>
public sealed class ScoringException : AriesException
{
    private ScoringException(string scorer, string message)
        : base(message)
    {
        Scorer = scorer;
    }

    /// <summary>Gets the scorer, as its <see cref="object.ToString"/> names it.</summary>
    public string Scorer { get; }

    /// <summary>Gets the number of responses, and so of scores that were needed; null where a score is no finite number.</summary>
    public int? ExpectedCount { get; private init; }

    /// <summary>Gets the number of scores that came; null where a score is no finite number.</summary>
    public int? ActualCount { get; private init; }

    /// <summary>Gets the score that is no finite number; null where the number of scores is wrong.</summary>
    public double? ActualScore { get; private init; }

    /// <summary>Makes the exception for a wrong number of scores.</summary>
    /// <param name="scorer">The scorer.</param>
    /// <param name="expected">The number of responses.</param>
    /// <param name="actual">The number of scores; 0 for a null list.</param>
    /// <exception cref="ArgumentNullException"><paramref name="scorer"/> is null.</exception>
    public static ScoringException WrongCount(IRewardScorer scorer, int expected, int actual)
    {
        string name = Name(scorer);
        return new ScoringException(name, $"The scorer {name} gave {actual} scores for {expected} responses. It must give one score a response, in order; RewardScore.Invalid where it has none.")
        {
            ExpectedCount = expected,
            ActualCount = actual,
        };
    }

    /// <summary>Makes the exception for a score that is NaN or infinite.</summary>
    /// <param name="scorer">The scorer.</param>
    /// <param name="score">The score.</param>
    /// <param name="response">The response that it was given for.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static ScoringException NotFinite(IRewardScorer scorer, double score, string response)
    {
        ArgumentNullException.ThrowIfNull(response);
        string name = Name(scorer);
        string excerpt = response.Length <= 80 ? response : response[..80] + "…";
        return new ScoringException(
            name,
            $"The scorer {name} gave {score.ToString(CultureInfo.InvariantCulture)}, but a score must be finite. Give RewardScore.Invalid for a response that cannot be scored. The response: \"{excerpt}\".")
        {
            ActualScore = score,
        };
    }

    private static string Name(IRewardScorer scorer)
    {
        ArgumentNullException.ThrowIfNull(scorer);
        return scorer.ToString() ?? scorer.GetType().Name;
    }
}
