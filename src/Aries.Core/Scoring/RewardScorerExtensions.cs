namespace Aries;

/// <summary>Short and checked forms of what <see cref="IRewardScorer"/> offers.</summary>
public static class RewardScorerExtensions
{
    /// <summary>Scores one response.</summary>
    /// <param name="scorer">The scorer.</param>
    /// <param name="prompt">What the user asked.</param>
    /// <param name="response">What was answered.</param>
    /// <param name="cancellationToken">Cancels the scoring.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ScoringException">The scorer did not give exactly one score.</exception>
    public static async Task<RewardScore> ScoreAsync(
        this IRewardScorer scorer, Prompt prompt, string response, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(response);
        IReadOnlyList<RewardScore> scores = await scorer.ScoreCheckedAsync([new ScoringRequest(prompt, response)], cancellationToken).ConfigureAwait(false);
        return scores[0];
    }

    /// <summary>Scores a batch, and checks that there is one score a request.</summary>
    /// <param name="scorer">The scorer.</param>
    /// <param name="requests">Prompts and responses. An empty list gives an empty list, and the scorer is not called.</param>
    /// <param name="cancellationToken">Cancels the scoring.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ScoringException">The number of scores is wrong.</exception>
    public static async Task<IReadOnlyList<RewardScore>> ScoreCheckedAsync(
        this IRewardScorer scorer, IReadOnlyList<ScoringRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(scorer);
        ArgumentNullException.ThrowIfNull(requests);
        if (requests.Count == 0)
        {
            return [];
        }

        IReadOnlyList<RewardScore>? scores = await scorer.ScoreAsync(requests, cancellationToken).ConfigureAwait(false);
        return scores?.Count == requests.Count ? scores : throw ScoringException.WrongCount(scorer, requests.Count, scores?.Count ?? 0);
    }
}
