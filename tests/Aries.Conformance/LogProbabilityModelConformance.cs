using Xunit;

namespace Aries.Conformance;

/// <summary>What every <see cref="ILogProbabilityModel"/> must do.</summary>
/// <typeparam name="TModel">The backend's type: <see cref="SuiteCoverage"/> asks for a suite for each.</typeparam>
public abstract class LogProbabilityModelConformance<TModel>
    where TModel : ILogProbabilityModel
{
    /// <summary>Gets how far two computations of one sum may be apart, in nats.</summary>
    protected virtual double Tolerance => 1e-3;

    /// <summary>Gets responses to score; at least three, no two alike, none empty. The first two share their prompt.</summary>
    protected virtual IReadOnlyList<LogProbabilityRequest> Requests =>
    [
        new("Once upon a time", ", there was a little girl named Lily."),
        new("Once upon a time", ", there was a big dog."),
        new("Tom", " liked to play."),
    ];

    /// <summary>Gets a request that is longer than the model's context, or null where the context has no end.</summary>
    protected virtual LogProbabilityRequest? TooLong => null;

    /// <summary>Creates the model; each test disposes its own where it can be disposed.</summary>
    protected abstract TModel CreateModel();

    [Fact]
    public async Task GetLogProbabilitiesAsync_NullListOrRequest_Throws()
    {
        TModel model = CreateModel();
        using IDisposable? disposable = model as IDisposable;

        await Assert.ThrowsAsync<ArgumentNullException>(() => model.GetLogProbabilitiesAsync(null!, TestContext.Current.CancellationToken));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => model.GetLogProbabilitiesAsync([Requests[0], null!], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task GetLogProbabilitiesAsync_EmptyBatch_IsEmpty()
    {
        TModel model = CreateModel();
        using IDisposable? disposable = model as IDisposable;

        Assert.Empty(await model.GetLogProbabilitiesAsync([], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task GetLogProbabilitiesAsync_Batch_ScoresInOrderWhatEachGetsAlone()
    {
        TModel model = CreateModel();
        using IDisposable? disposable = model as IDisposable;
        LogProbabilityRequest[] requests = [.. Requests.Reverse(), .. Requests];

        IReadOnlyList<ResponseLogProbability> together = await model.GetLogProbabilitiesAsync(requests, TestContext.Current.CancellationToken);

        Assert.Equal(requests.Length, together.Count);
        for (int i = 0; i < requests.Length; i++)
        {
            ResponseLogProbability alone = await ScoreAsync(model, requests[i]);
            Assert.Equal(alone.TokenIds, together[i].TokenIds);
            Assert.Equal(alone.Sum, together[i].Sum, Tolerance);
        }

        Assert.True(Math.Abs(together[0].Sum - together[1].Sum) > Tolerance, "Different responses have one score.");
    }

    [Fact]
    public async Task GetLogProbabilitiesAsync_Terms_AreNoPositiveNumbersAndSumUp()
    {
        TModel model = CreateModel();
        using IDisposable? disposable = model as IDisposable;

        ResponseLogProbability score = await ScoreAsync(model, Requests[0]);

        Assert.NotEmpty(score.TokenIds);
        Assert.Equal(score.TokenIds.Count, score.TokenLogProbabilities.Count);
        Assert.All(score.TokenLogProbabilities, value => Assert.True(value <= 0));
        Assert.Equal(score.TokenLogProbabilities.Sum(value => (double)value), score.Sum, Tolerance);
    }

    [Fact]
    public async Task GetLogProbabilitiesAsync_WithoutEndToken_LeavesOutExactlyThatTerm()
    {
        TModel model = CreateModel();
        using IDisposable? disposable = model as IDisposable;

        ResponseLogProbability whole = await ScoreAsync(model, Requests[0]);
        ResponseLogProbability cut = await ScoreAsync(model, Requests[0] with { IncludeEndToken = false });

        Assert.Equal(whole.TokenIds.Take(whole.TokenIds.Count - 1), cut.TokenIds);
        Assert.Equal(whole.Sum, cut.Sum + whole.TokenLogProbabilities[^1], Tolerance);
    }

    [Fact]
    public async Task GetLogProbabilitiesAsync_EmptyResponse_ScoresTheEndTokenOrThrows()
    {
        TModel model = CreateModel();
        using IDisposable? disposable = model as IDisposable;
        LogProbabilityRequest empty = new(Requests[0].Prompt, "");

        Assert.Single((await ScoreAsync(model, empty)).TokenIds);
        await Assert.ThrowsAnyAsync<ArgumentException>(() => ScoreAsync(model, empty with { IncludeEndToken = false }));
    }

    [Fact]
    public async Task GetLogProbabilitiesAsync_LongerThanTheContext_Throws()
    {
        Assert.SkipWhen(TooLong is null, "The backend's context has no end.");
        TModel model = CreateModel();
        using IDisposable? disposable = model as IDisposable;

        await Assert.ThrowsAnyAsync<ArgumentException>(() => ScoreAsync(model, TooLong!));
    }

    [Fact]
    public async Task GetLogProbabilitiesAsync_CancelledToken_Throws()
    {
        TModel model = CreateModel();
        using IDisposable? disposable = model as IDisposable;
        using CancellationTokenSource source = new();
        await source.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => model.GetLogProbabilitiesAsync(Requests, source.Token));
    }

    [Fact]
    public async Task GetLogProbabilitiesAsync_ConcurrentCalls_GiveWhatEachGivesAlone()
    {
        TModel model = CreateModel();
        using IDisposable? disposable = model as IDisposable;
        IReadOnlyList<ResponseLogProbability> expected = await model.GetLogProbabilitiesAsync(Requests, TestContext.Current.CancellationToken);

        ResponseLogProbability[] scores = await Task.WhenAll(Requests.Select(request => Task.Run(() => ScoreAsync(model, request))));

        for (int i = 0; i < scores.Length; i++)
        {
            Assert.Equal(expected[i].Sum, scores[i].Sum, Tolerance);
        }
    }

    private static async Task<ResponseLogProbability> ScoreAsync(TModel model, LogProbabilityRequest request) =>
        (await model.GetLogProbabilitiesAsync([request], TestContext.Current.CancellationToken))[0];
}
