using Xunit;

namespace Aries.Conformance;

/// <summary>What every <see cref="IRewardScorer"/> must do.</summary>
/// <typeparam name="TScorer">The scorer's type: <see cref="SuiteCoverage"/> asks for a suite for each.</typeparam>
public abstract class RewardScorerConformance<TScorer>
    where TScorer : IRewardScorer
{
    /// <summary>Gets prompts and responses that the scorer is made for; at least two whose scores differ.</summary>
    protected abstract IReadOnlyList<ScoringRequest> Requests { get; }

    /// <summary>Gets whether equal requests always get equal scores; a sampled judge's do not.</summary>
    protected virtual bool IsDeterministic => true;

    /// <summary>Creates the scorer; each test disposes its own where it can be disposed.</summary>
    protected abstract TScorer CreateScorer();

    [Fact]
    public async Task ScoreAsync_NullListOrRequest_Throws()
    {
        TScorer scorer = CreateScorer();
        using IDisposable? disposable = scorer as IDisposable;

        await Assert.ThrowsAsync<ArgumentNullException>(() => scorer.ScoreAsync(null!, TestContext.Current.CancellationToken));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => scorer.ScoreAsync([Requests[0], null!], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task ScoreAsync_EmptyBatch_IsEmpty()
    {
        TScorer scorer = CreateScorer();
        using IDisposable? disposable = scorer as IDisposable;

        Assert.Empty(await scorer.ScoreAsync([], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task ScoreAsync_Batch_ScoresInOrderWhatEachGetsAlone()
    {
        Assert.SkipUnless(IsDeterministic, "The scorer draws its scores.");
        TScorer scorer = CreateScorer();
        using IDisposable? disposable = scorer as IDisposable;
        ScoringRequest[] requests = [.. Requests.Reverse(), .. Requests];

        IReadOnlyList<RewardScore> together = await scorer.ScoreAsync(requests, TestContext.Current.CancellationToken);

        Assert.Equal(requests.Length, together.Count);
        for (int i = 0; i < requests.Length; i++)
        {
            Assert.Equal((await scorer.ScoreAsync([requests[i]], TestContext.Current.CancellationToken))[0], together[i]);
        }

        Assert.True(together.Distinct().Count() > 1, "All requests have one score.");
    }

    [Fact]
    public async Task ScoreAsync_EmptyResponse_IsDataAndNoError()
    {
        TScorer scorer = CreateScorer();
        using IDisposable? disposable = scorer as IDisposable;

        RewardScore score = (await scorer.ScoreAsync([Requests[0] with { Response = "" }], TestContext.Current.CancellationToken))[0];

        Assert.True(score.IsValid || !string.IsNullOrWhiteSpace(score.Diagnostic), "An invalid score says why.");
    }

    [Fact]
    public async Task ScoreAsync_CancelledToken_Throws()
    {
        TScorer scorer = CreateScorer();
        using IDisposable? disposable = scorer as IDisposable;
        using CancellationTokenSource source = new();
        await source.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => scorer.ScoreAsync(Requests, source.Token));
    }

    [Fact]
    public async Task ScoreAsync_ConcurrentCalls_GiveOneScoreARequest()
    {
        TScorer scorer = CreateScorer();
        using IDisposable? disposable = scorer as IDisposable;
        IReadOnlyList<RewardScore> expected = await scorer.ScoreAsync(Requests, TestContext.Current.CancellationToken);

        IReadOnlyList<RewardScore>[] scores =
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => scorer.ScoreAsync(Requests, TestContext.Current.CancellationToken))));

        foreach (IReadOnlyList<RewardScore> result in scores)
        {
            Assert.Equal(expected.Count, result.Count);
            if (IsDeterministic)
            {
                Assert.Equal(expected, result);
            }
        }
    }
}
