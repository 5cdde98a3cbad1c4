using System.Text;
using Xunit;

namespace Aries.Conformance;

/// <summary>What every <see cref="IPolicyModel"/> must do. A backend derives it once and says what it can and cannot.</summary>
/// <typeparam name="TModel">The backend's type: <see cref="SuiteCoverage"/> asks for a suite for each.</typeparam>
public abstract class PolicyModelConformance<TModel>
    where TModel : IPolicyModel
{
    /// <summary>Gets whether a seed makes sampling repeatable.</summary>
    protected virtual bool SupportsSeed => true;

    /// <summary>Gets whether the tokens' log-probabilities can be asked for.</summary>
    protected virtual bool SupportsLogProbabilities => true;

    /// <summary>Gets whether responses carry usage and token ids.</summary>
    protected virtual bool ReportsTokens => true;

    /// <summary>Gets options that the backend cannot honour, each with the name that its error must hold.</summary>
    protected virtual IReadOnlyList<(string Name, SamplingOptions Options)> UnsupportedOptions => [];

    /// <summary>Gets prompts that the model answers with some text; at least three, no two alike.</summary>
    protected virtual IReadOnlyList<string> Prompts => ["Once upon a time", "Lily and Tom", "One day, a dog"];

    /// <summary>Gets a prompt that is longer than the model's context, or null where the context has no end.</summary>
    protected virtual string? TooLongPrompt => null;

    /// <summary>Creates the model; each test disposes its own.</summary>
    protected abstract TModel CreateModel();

    [Fact]
    public async Task GenerateAsync_NullList_Throws()
    {
        using TModel model = CreateModel();

        await Assert.ThrowsAsync<ArgumentNullException>(() => model.GenerateAsync((IReadOnlyList<GenerationRequest>)null!, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task GenerateAsync_NullRequest_Throws()
    {
        using TModel model = CreateModel();

        await Assert.ThrowsAnyAsync<ArgumentException>(() => model.GenerateAsync([Greedy(0), null!], TestContext.Current.CancellationToken));
    }

    [Fact]
    public void GenerateStreamingAsync_NullRequest_ThrowsAtTheCall()
    {
        using TModel model = CreateModel();

        Assert.Throws<ArgumentNullException>(() => { _ = model.GenerateStreamingAsync(null!, TestContext.Current.CancellationToken); });
    }

    [Fact]
    public async Task GenerateAsync_EmptyBatch_IsEmpty()
    {
        using TModel model = CreateModel();

        Assert.Empty(await model.GenerateAsync([], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task GenerateAsync_Batch_AnswersInOrderWhatEachGetsAlone()
    {
        using TModel model = CreateModel();
        GenerationRequest[] requests = [Greedy(2), Greedy(0), Greedy(1), Greedy(0)];

        IReadOnlyList<Response> together = await model.GenerateAsync(requests, TestContext.Current.CancellationToken);

        Assert.Equal(4, together.Count);
        for (int i = 0; i < requests.Length; i++)
        {
            Assert.Equal((await GenerateAsync(model, requests[i])).Text, together[i].Text);
        }

        Assert.NotEqual(together[0].Text, together[1].Text);
    }

    [Fact]
    public async Task GenerateAsync_CancelledToken_Throws()
    {
        using TModel model = CreateModel();
        using CancellationTokenSource source = new();
        await source.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => model.GenerateAsync([Greedy(0)], source.Token));
    }

    [Fact]
    public async Task GenerateStreamingAsync_CancelledMidway_ThrowsAndDoesNotEndQuietly()
    {
        using TModel model = CreateModel();
        using CancellationTokenSource source = new();
        GenerationRequest request = Greedy(0, maxTokens: 200);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (ResponseUpdate update in model.GenerateStreamingAsync(request, source.Token))
            {
                Assert.Null(update.Response);
                await source.CancelAsync();
            }
        });
    }

    [Fact]
    public async Task GenerateStreamingAsync_AbandonedMidway_LeavesTheModelUsable()
    {
        using TModel model = CreateModel();
        Response expected = await GenerateAsync(model, Greedy(1));
        await foreach (ResponseUpdate update in model.GenerateStreamingAsync(Greedy(0, maxTokens: 200), TestContext.Current.CancellationToken))
        {
            Assert.NotNull(update.Text);
            break;
        }

        Assert.Equal(expected.Text, (await GenerateAsync(model, Greedy(1))).Text);
    }

    [Fact]
    public async Task GenerateStreamingAsync_Updates_JoinToTheWholeResponse()
    {
        using TModel model = CreateModel();
        GenerationRequest request = Greedy(0, maxTokens: 40);
        Response whole = await GenerateAsync(model, request);
        StringBuilder text = new();
        Response? last = null;

        await foreach (ResponseUpdate update in model.GenerateStreamingAsync(request, TestContext.Current.CancellationToken))
        {
            Assert.Null(last);
            text.Append(update.Text);
            last = update.Response;
        }

        Assert.NotNull(last);
        Assert.Equal(whole.Text, text.ToString());
        Assert.Equal(whole.Text, last.Text);
        Assert.Equal(whole.FinishReason, last.FinishReason);
        Assert.Equal(whole.TokenIds, last.TokenIds);
    }

    [Fact]
    public async Task GenerateAsync_MaxTokens_IsNeverExceeded()
    {
        using TModel model = CreateModel();

        Response shorter = await GenerateAsync(model, Greedy(0, maxTokens: 3));
        Response longer = await GenerateAsync(model, Greedy(0, maxTokens: 12));

        Assert.Equal(FinishReason.Length, shorter.FinishReason);
        Assert.StartsWith(shorter.Text, longer.Text, StringComparison.Ordinal);
        Assert.True(longer.Text.Length > shorter.Text.Length);
    }

    [Fact]
    public async Task GenerateAsync_Usage_CountsWhatWasReadAndWritten()
    {
        Assert.SkipUnless(ReportsTokens, "The backend reports no tokens.");
        using TModel model = CreateModel();

        Response response = await GenerateAsync(model, Greedy(0, maxTokens: 7));

        Assert.True(response.Usage.PromptTokens > 0);
        Assert.InRange(response.Usage.ResponseTokens, 1, 7);
        Assert.InRange(response.Usage.CachedPromptTokens, 0, response.Usage.PromptTokens);
        Assert.Equal(response.Usage.ResponseTokens, response.TokenIds!.Count);
    }

    [Fact]
    public async Task GenerateAsync_StopSequence_EndsBeforeIt()
    {
        using TModel model = CreateModel();
        string text = (await GenerateAsync(model, Greedy(0, maxTokens: 40))).Text;
        Assert.True(text.Length > 8, $"The model's text '{text}' is too short to test with.");
        string stop = text.Substring(text.Length / 2, 3);
        GenerationRequest request = new(Prompts[0], new SamplingOptions { Temperature = 0, MaxTokens = 40, StopSequences = ["\u0001never", stop] });

        Response response = await GenerateAsync(model, request);

        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], response.Text);
        Assert.Equal(FinishReason.Stop, response.FinishReason);
    }

    [Fact]
    public async Task GenerateStreamingAsync_StopSequence_IsNeverStreamed()
    {
        using TModel model = CreateModel();
        string text = (await GenerateAsync(model, Greedy(0, maxTokens: 40))).Text;
        string stop = text.Substring(text.Length / 2, 3);
        GenerationRequest request = new(Prompts[0], new SamplingOptions { Temperature = 0, MaxTokens = 40, StopSequences = [stop] });
        StringBuilder streamed = new();

        await foreach (ResponseUpdate update in model.GenerateStreamingAsync(request, TestContext.Current.CancellationToken))
        {
            streamed.Append(update.Text);
        }

        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], streamed.ToString());
    }

    [Fact]
    public async Task GenerateAsync_EqualSeeds_GiveEqualTexts()
    {
        Assert.SkipUnless(SupportsSeed, "The backend takes no seed.");
        using TModel model = CreateModel();
        GenerationRequest[] requests = [.. Enumerable.Range(0, 8).Select(seed => Sampled(seed))];

        IReadOnlyList<Response> first = await model.GenerateAsync(requests, TestContext.Current.CancellationToken);
        IReadOnlyList<Response> second = await model.GenerateAsync(requests, TestContext.Current.CancellationToken);

        Assert.Equal(first.Select(response => response.Text), second.Select(response => response.Text));
        Assert.True(first.Select(response => response.Text).Distinct().Count() > 1, "Eight seeds gave one text.");
    }

    [Fact]
    public async Task GenerateAsync_LogProbabilities_AreGivenOrRefusedByName()
    {
        using TModel model = CreateModel();
        GenerationRequest request = new(Prompts[0], new SamplingOptions { Temperature = 0.5f, Seed = SupportsSeed ? 1 : null, MaxTokens = 6 }) { IncludeLogProbabilities = true };
        if (!SupportsLogProbabilities)
        {
            NotSupportedException exception = await Assert.ThrowsAsync<NotSupportedException>(() => GenerateAsync(model, request));
            Assert.Contains(nameof(GenerationRequest.IncludeLogProbabilities), exception.Message, StringComparison.Ordinal);
            return;
        }

        Response response = await GenerateAsync(model, request);

        Assert.Equal(response.TokenIds!.Count, response.TokenLogProbabilities!.Count);
        Assert.All(response.TokenLogProbabilities, value => Assert.InRange(value, float.MinValue, 0));
        Assert.Equal(response.TokenLogProbabilities.Sum(value => (double)value), response.LogProbability!.Value, 1e-6);
    }

    [Fact]
    public async Task GenerateAsync_LogProbabilitiesNotAskedFor_AreNull()
    {
        using TModel model = CreateModel();

        Response response = await GenerateAsync(model, Greedy(0, maxTokens: 3));

        Assert.Null(response.TokenLogProbabilities);
        Assert.Null(response.LogProbability);
    }

    [Fact]
    public async Task GenerateAsync_UnsupportedOption_IsRefusedByName()
    {
        using TModel model = CreateModel();
        foreach ((string name, SamplingOptions options) in UnsupportedOptions)
        {
            NotSupportedException exception = await Assert.ThrowsAsync<NotSupportedException>(() => GenerateAsync(model, new GenerationRequest(Prompts[0], options)));

            Assert.Contains(name, exception.Message, StringComparison.Ordinal);
        }

        // Each option that is not said to be unsupported is honoured: the call returns.
        HashSet<string> refused = [.. UnsupportedOptions.Select(option => option.Name)];
        foreach ((string name, SamplingOptions options) in EveryOption.Where(option => !refused.Contains(option.Name)))
        {
            Assert.True((await GenerateAsync(model, new GenerationRequest(Prompts[0], options))).Text is not null, name);
        }
    }

    [Fact]
    public async Task GenerateAsync_PromptLongerThanTheContext_Throws()
    {
        Assert.SkipWhen(TooLongPrompt is null, "The backend's context has no end.");
        using TModel model = CreateModel();

        await Assert.ThrowsAnyAsync<ArgumentException>(() => GenerateAsync(model, new GenerationRequest(TooLongPrompt!)));
    }

    [Fact]
    public async Task GenerateAsync_ConcurrentCalls_GiveWhatEachGivesAlone()
    {
        using TModel model = CreateModel();
        List<string> expected = [];
        for (int i = 0; i < 3; i++)
        {
            expected.Add((await GenerateAsync(model, Greedy(i))).Text);
        }

        Response[] responses = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Task.Run(() => GenerateAsync(model, Greedy(i % 3)))));

        Assert.Equal([.. expected, .. expected], responses.Select(response => response.Text));
    }

    [Fact]
    public async Task GenerateAsync_Disposed_Throws()
    {
        TModel model = CreateModel();
        model.Dispose();
        model.Dispose();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => model.GenerateAsync([Greedy(0)], TestContext.Current.CancellationToken));
    }

    [Fact]
    public void GetService_KnownAndUnknownTypes_AreAnswered()
    {
        using TModel model = CreateModel();

        Assert.Throws<ArgumentNullException>(() => model.GetService(null!));
        Assert.Same(model, model.GetService(typeof(IPolicyModel)));
        Assert.Null(model.GetService(typeof(PolicyModelConformance<TModel>)));
        if (model.GetService(typeof(PolicyModelMetadata)) is { } metadata)
        {
            Assert.False(string.IsNullOrEmpty(Assert.IsType<PolicyModelMetadata>(metadata).ProviderName));
        }
    }

    private static IReadOnlyList<(string Name, SamplingOptions Options)> EveryOption =>
    [
        (nameof(SamplingOptions.TopP), new SamplingOptions { TopP = 0.8f, MaxTokens = 3 }),
        (nameof(SamplingOptions.TopK), new SamplingOptions { TopK = 5, MaxTokens = 3 }),
        (nameof(SamplingOptions.MinP), new SamplingOptions { MinP = 0.1f, MaxTokens = 3 }),
        (nameof(SamplingOptions.RepetitionPenalty), new SamplingOptions { RepetitionPenalty = 1.2f, MaxTokens = 3 }),
        (nameof(SamplingOptions.StopSequences), new SamplingOptions { StopSequences = ["\n\n"], MaxTokens = 3 }),
        (nameof(SamplingOptions.Seed), new SamplingOptions { Seed = -1, MaxTokens = 3 }),
    ];

    private static async Task<Response> GenerateAsync(TModel model, GenerationRequest request) =>
        (await model.GenerateAsync([request], TestContext.Current.CancellationToken))[0];

    private GenerationRequest Greedy(int prompt, int maxTokens = 12) => new(Prompts[prompt], new SamplingOptions { Temperature = 0, MaxTokens = maxTokens });

    private GenerationRequest Sampled(long seed) => new(Prompts[0], new SamplingOptions { Temperature = 1.5f, MaxTokens = 12, Seed = seed });
}
