namespace Aries;

/// <summary>Scores responses: a reward model, a judge, or a rule.</summary>
/// <remarks>Higher is better. Scores of one scorer are compared with each other only for responses to one prompt.</remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public interface IRewardScorer
{
    /// <summary>Scores a batch.</summary>
    /// <param name="requests">Prompts and responses; none is null.</param>
    /// <param name="cancellationToken">Cancels the scoring.</param>
    /// <returns>One score a request, in order. Where a response cannot be scored (an unparsable judge, say) its score is <see cref="RewardScore.Invalid(string)"/>, not an exception.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<IReadOnlyList<RewardScore>> ScoreAsync(IReadOnlyList<ScoringRequest> requests, CancellationToken cancellationToken = default);
}
