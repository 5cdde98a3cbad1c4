namespace Aries.TestKit;

/// <summary>A scorer that scores as a test says, and records what it is asked.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public sealed class ScriptedScorer : IRewardScorer
{
    private readonly Func<ScoringRequest, RewardScore> _score;
    private readonly List<int> _batchSizes = [];
    private readonly Lock _lock = new();

    /// <summary>Creates a scorer that scores by a function of the request.</summary>
    public ScriptedScorer(Func<ScoringRequest, RewardScore> score) => _score = score;

    /// <summary>Creates a scorer that scores by a function of the response.</summary>
    public ScriptedScorer(Func<string, double> score)
        : this(request => new RewardScore(score(request.Response)))
    {
    }

    /// <summary>Gets what is thrown in place of scores; null for none.</summary>
    public Exception? Failure { get; init; }

    /// <summary>Gets how many scores too many (or, below 0, too few) are given.</summary>
    public int ExtraScoreCount { get; init; }

    /// <summary>Gets the number of requests of each call, in order.</summary>
    public IReadOnlyList<int> BatchSizes
    {
        get
        {
            lock (_lock)
            {
                return [.. _batchSizes];
            }
        }
    }

    /// <inheritdoc />
    public Task<IReadOnlyList<RewardScore>> ScoreAsync(IReadOnlyList<ScoringRequest> requests, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            _batchSizes.Add(requests.Count);
        }

        if (Failure is not null)
        {
            throw Failure;
        }

        IEnumerable<RewardScore> scores = requests.Select(_score);
        return Task.FromResult<IReadOnlyList<RewardScore>>(ExtraScoreCount >= 0
            ? [.. scores, .. Enumerable.Repeat(new RewardScore(0), ExtraScoreCount)]
            : [.. scores.Take(requests.Count + ExtraScoreCount)]);
    }
}
