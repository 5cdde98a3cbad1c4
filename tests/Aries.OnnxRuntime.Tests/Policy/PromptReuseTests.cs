namespace Aries.OnnxRuntime.Tests;

public sealed class PromptReuseTests(ExportedModels models)
{
    private const string Question = "Once upon a time, there was a little girl named Lily.";

    private static readonly SamplingOptions Greedy = new() { Temperature = 0, MaxTokens = 12 };

    // Four turns, each prompt the one before with its response: all but the last token written, whose keys and values no step has computed, is there. Longer prompts make the cache anew, too.
    [Fact]
    public async Task GenerateAsync_TurnsOfOneChain_ComputeWhatIsNewAlone()
    {
        using OnnxRuntimePolicyModel kept = OnnxRuntimePolicyModel.Load(models.Stories);
        using OnnxRuntimePolicyModel fresh = OnnxRuntimePolicyModel.Load(models.Stories, new OnnxRuntimePolicyOptions { KeepsPrompts = false });
        string prompt = Question;
        for (int turn = 0; turn < 4; turn++)
        {
            Response expected = await fresh.GenerateAsync(prompt, Greedy, TestContext.Current.CancellationToken);
            Response actual = await kept.GenerateAsync(prompt, Greedy, TestContext.Current.CancellationToken);

            Assert.Equal(expected.TokenIds, actual.TokenIds);
            Assert.Equal(0, expected.Usage.CachedPromptTokens);
            Assert.Equal(turn == 0, actual.Usage.CachedPromptTokens == 0);
            Assert.InRange(actual.Usage.PromptTokens - actual.Usage.CachedPromptTokens, 1, turn == 0 ? int.MaxValue : 8);
            prompt += actual.Text + " Then";
        }
    }

    // Chains end at different steps and come back in another order: each finds its own, and none another's.
    [Fact]
    public async Task GenerateAsync_ChainsOfOneBatchInAnotherOrder_FindTheirOwn()
    {
        using OnnxRuntimePolicyModel kept = OnnxRuntimePolicyModel.Load(models.Stories);
        using OnnxRuntimePolicyModel fresh = OnnxRuntimePolicyModel.Load(models.Stories, new OnnxRuntimePolicyOptions { KeepsPrompts = false });
        string[] prompts = ["Tom saw a big dog in the park", "Lily had a red ball", "One day, Ben went to the lake", "The sun was hot and the sea was blue", "Mom said yes"];
        for (int turn = 0; turn < 3; turn++)
        {
            GenerationRequest[] requests = [.. prompts.Select((prompt, index) => new GenerationRequest(prompt, Greedy with { MaxTokens = 4 + (((index + turn) * 7) % 11) }))];

            IReadOnlyList<Response> expected = await fresh.GenerateAsync(requests, TestContext.Current.CancellationToken);
            IReadOnlyList<Response> actual = await kept.GenerateAsync(requests, TestContext.Current.CancellationToken);

            Assert.Equal(expected.Select(response => response.Text), actual.Select(response => response.Text));
            if (turn > 0)
            {
                Assert.All(actual, response => Assert.InRange(response.Usage.PromptTokens - response.Usage.CachedPromptTokens, 1, 8));
            }

            prompts = [.. prompts.Select((prompt, index) => $"{prompt}{actual[index].Text} and").Reverse()];
        }
    }

    // The cache is of another call's texts, half written; what is taken over must be whole.
    [Fact]
    public async Task GenerateAsync_AfterACancelledCall_AnswersAsAFreshModel()
    {
        using OnnxRuntimePolicyModel kept = OnnxRuntimePolicyModel.Load(models.Stories, new OnnxRuntimePolicyOptions { PrefillLength = 4 });
        using OnnxRuntimePolicyModel fresh = OnnxRuntimePolicyModel.Load(models.Stories);
        Response expected = await fresh.GenerateAsync(Question + " She", Greedy, TestContext.Current.CancellationToken);
        for (int seed = 0; seed < 5; seed++)
        {
            using CancellationTokenSource source = new();
            GenerationRequest request = new(Question, new SamplingOptions { MaxTokens = 300, Seed = seed });
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                await foreach (ResponseUpdate update in kept.GenerateStreamingAsync(request, source.Token))
                {
                    await source.CancelAsync();
                }
            });
        }

        Response actual = await kept.GenerateAsync(Question + " She", Greedy, TestContext.Current.CancellationToken);

        Assert.Equal(expected.TokenIds, actual.TokenIds);
        Assert.True(actual.Usage.CachedPromptTokens > 0);
    }

    // To the last bit, whatever ran before: what a resumed run relies on.
    [Fact]
    public async Task GenerateAsync_NothingKept_DependsOnItsCallAlone()
    {
        using OnnxRuntimePolicyModel model = OnnxRuntimePolicyModel.Load(models.Stories, new OnnxRuntimePolicyOptions { KeepsPrompts = false, PrefillLength = 8 });
        GenerationRequest request = new(Question, Greedy with { Temperature = 1, Seed = 5 }) { IncludeLogProbabilities = true };
        Response first = (await model.GenerateAsync([request], TestContext.Current.CancellationToken))[0];
        await model.GenerateAsync(Question + " She was", Greedy with { MaxTokens = 100 }, TestContext.Current.CancellationToken);

        Response again = (await model.GenerateAsync([request], TestContext.Current.CancellationToken))[0];

        Assert.Equal(first.TokenIds, again.TokenIds);
        Assert.Equal(first.TokenLogProbabilities, again.TokenLogProbabilities);
        Assert.Equal(0, again.Usage.CachedPromptTokens);
    }

    [Fact]
    public async Task GetLogProbabilitiesAsync_BetweenTwoTurns_ChangesNeither()
    {
        using OnnxRuntimePolicyModel kept = OnnxRuntimePolicyModel.Load(models.Stories);
        using OnnxRuntimePolicyModel fresh = OnnxRuntimePolicyModel.Load(models.Stories);
        IReadOnlyList<ResponseLogProbability> scores = await fresh.GetLogProbabilitiesAsync(Texts.Stories, TestContext.Current.CancellationToken);
        Response expected = await fresh.GenerateAsync(Question, Greedy, TestContext.Current.CancellationToken);

        await kept.GenerateAsync([.. Enumerable.Repeat(new GenerationRequest(Question, Greedy), 2)], TestContext.Current.CancellationToken);
        IReadOnlyList<ResponseLogProbability> between = await kept.GetLogProbabilitiesAsync(Texts.Stories, TestContext.Current.CancellationToken);
        Response actual = await kept.GenerateAsync(Question, Greedy, TestContext.Current.CancellationToken);

        Assert.Equal(scores.SelectMany(score => score.TokenLogProbabilities), between.SelectMany(score => score.TokenLogProbabilities));
        Assert.Equal(expected.TokenIds, actual.TokenIds);
    }
}
