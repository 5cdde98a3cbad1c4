namespace Aries;

/// <summary>A reward scorer made of a function.</summary>
/// <threadsafety>As thread-safe as the function.</threadsafety>
public sealed class DelegateRewardScorer : IRewardScorer
{
    private readonly Func<IReadOnlyList<ScoringRequest>, CancellationToken, Task<IReadOnlyList<RewardScore>>> _score;
    private readonly string _name;

    /// <summary>Creates a scorer of a rule: one number for each prompt and response.</summary>
    /// <param name="score">Returns the score of a response to a prompt; higher is better. A score that is NaN or infinite is a <see cref="ScoringException"/>.</param>
    /// <param name="name">What reports and errors call it, and what a run knows it by when it goes on: put the settings of the function into it.</param>
    /// <exception cref="ArgumentException">An argument is null or empty.</exception>
    public DelegateRewardScorer(Func<Prompt, string, double> score, string name = nameof(DelegateRewardScorer))
        : this(name)
    {
        ArgumentNullException.ThrowIfNull(score);
        _score = (requests, cancellationToken) => Task.FromResult<IReadOnlyList<RewardScore>>(ScoreEach(requests, score, cancellationToken));
    }

    /// <summary>Creates a scorer of a function over batches, such as a call of a service.</summary>
    /// <param name="score">Returns one score a request, in order.</param>
    /// <param name="name">What reports and errors call it, and what a run knows it by when it goes on: put the settings of the function into it.</param>
    /// <exception cref="ArgumentException">An argument is null or empty.</exception>
    public DelegateRewardScorer(
        Func<IReadOnlyList<ScoringRequest>, CancellationToken, Task<IReadOnlyList<RewardScore>>> score, string name = nameof(DelegateRewardScorer))
        : this(name)
    {
        ArgumentNullException.ThrowIfNull(score);
        _score = score;
    }

    private DelegateRewardScorer(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        _name = name;
        _score = null!;
    }

    /// <inheritdoc />
    /// <exception cref="ScoringException">A score is NaN or infinite, or there is not one a request.</exception>
    public async Task<IReadOnlyList<RewardScore>> ScoreAsync(IReadOnlyList<ScoringRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        cancellationToken.ThrowIfCancellationRequested();
        IReadOnlyList<RewardScore>? scores = await _score(requests, cancellationToken).ConfigureAwait(false);
        return scores?.Count == requests.Count ? scores : throw ScoringException.WrongCount(this, requests.Count, scores?.Count ?? 0);
    }

    /// <summary>Returns the name.</summary>
    public override string ToString() => _name;

    private RewardScore[] ScoreEach(IReadOnlyList<ScoringRequest> requests, Func<Prompt, string, double> score, CancellationToken cancellationToken)
    {
        RewardScore[] scores = new RewardScore[requests.Count];
        for (int index = 0; index < scores.Length; index++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            double value = score(requests[index].Prompt, requests[index].Response);
            scores[index] = double.IsFinite(value) ? new RewardScore(value) : throw ScoringException.NotFinite(this, value, requests[index].Response);
        }

        return scores;
    }
}
