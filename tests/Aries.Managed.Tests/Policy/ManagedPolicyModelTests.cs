using System.Text;
using System.Text.Json;
using Aries.TestKit;
using CsCheck;
using Microsoft.Extensions.DependencyInjection;

namespace Aries.Managed.Tests;

public sealed class ManagedPolicyModelTests
{
    private static readonly string Folder = TestData.Golden("stories260K-hf");

    [Fact]
    public async Task GenerateAsync_FolderAndLlama2cFile_WriteTheGoldenText()
    {
        JsonElement golden = GoldenSampling.Read("sampling", "greedy.json").GetProperty("runs")[1];
        int[] ids = GoldenSampling.Ints(golden.GetProperty("ids"));
        float[] expected = GoldenSampling.Floats(golden.GetProperty("logps"));
        string prompt = golden.GetProperty("prompt_text").GetString()!.Trim();
        string text = golden.GetProperty("text").GetString()!.TrimStart();
        Assert.StartsWith(prompt, text, StringComparison.Ordinal);
        foreach (string path in (string[])[Folder, TestData.Golden("stories260K", "stories260K.bin")])
        {
            using ManagedPolicyModel model = ManagedPolicyModel.Load(path);

            Response response = (await model.GenerateAsync([Greedy(prompt, 96) with { IncludeLogProbabilities = true }], TestContext.Current.CancellationToken))[0];

            Assert.Equal(text[prompt.Length..], response.Text);
            Assert.Equal(ids, response.TokenIds);
            for (int i = 0; i < expected.Length; i++)
            {
                Assert.InRange(response.TokenLogProbabilities![i], expected[i] - 2e-4f, expected[i] + 2e-4f);
            }
        }
    }

    // A request's text is the same alone, in any batch, with any number of threads, places and prefill lengths.
    [Fact]
    public void GenerateAsync_RandomBatches_GiveEachRequestWhatItGetsAlone()
    {
        using ManagedPolicyModel alone = ManagedPolicyModel.Load(Folder, new ManagedPolicyOptions { ThreadCount = 1 });
        Gen<GenerationRequest> request = Gen.Select(Gen.Int[0, 3], Gen.Long, Gen.Int[1, 40], Gen.Float[0, 1.5f]).Select((prompt, seed, maxTokens, temperature) => new GenerationRequest(
            ((string[])["Once upon a time", "Once upon a dog", "Lily", "Lily saw a big red ball. She"])[prompt],
            new SamplingOptions { Seed = seed, MaxTokens = maxTokens, Temperature = temperature, TopP = 0.95f, StopSequences = seed % 2 == 0 ? [".", "big"] : [] }));
        Gen.Select(request.Array[1, 12], Gen.Int[1, 3], Gen.Int[1, 6], Gen.Int[1, 40]).Sample((requests, threads, places, prefill) =>
        {
            using ManagedPolicyModel model = ManagedPolicyModel.Load(Folder, new ManagedPolicyOptions { ThreadCount = threads, MaxBatchSize = places, PrefillLength = prefill });

            IReadOnlyList<Response> together = model.GenerateAsync(requests).GetAwaiter().GetResult();

            for (int i = 0; i < requests.Length; i++)
            {
                Response single = alone.GenerateAsync([requests[i]]).GetAwaiter().GetResult()[0];
                Assert.Equal(single.Text, together[i].Text);
                Assert.Equal(single.TokenIds, together[i].TokenIds);
                Assert.Equal(single.FinishReason, together[i].FinishReason);
            }
        }, iter: 15, threads: 1);
    }

    [Fact]
    public async Task GenerateAsync_BestOfN_ReadsThePromptOnce()
    {
        using ManagedPolicyModel model = ManagedPolicyModel.Load(Folder);
        GenerationRequest[] requests = [.. Enumerable.Range(0, 4).Select(seed => new GenerationRequest("Once upon a time", new SamplingOptions { Seed = seed, MaxTokens = 8 }))];

        IReadOnlyList<Response> responses = await model.GenerateAsync(requests, TestContext.Current.CancellationToken);

        long prompt = responses[0].Usage.PromptTokens;
        Assert.Equal(3 * prompt, responses.Sum(response => response.Usage.CachedPromptTokens));
    }

    [Fact]
    public async Task GenerateAsync_NoSeed_DrawsAnewEachTime()
    {
        using ManagedPolicyModel model = ManagedPolicyModel.Load(Folder);
        GenerationRequest[] requests = [.. Enumerable.Repeat(new GenerationRequest("Once", new SamplingOptions { Temperature = 2, MaxTokens = 20 }), 4)];

        IReadOnlyList<Response> responses = await model.GenerateAsync(requests, TestContext.Current.CancellationToken);

        Assert.True(responses.Select(response => response.Text).Distinct().Count() > 1);
    }

    [Fact]
    public async Task GenerateAsync_StopSequenceOfManyTokens_EndsAtItsLastToken()
    {
        using ManagedPolicyModel model = ManagedPolicyModel.Load(Folder);
        GenerationRequest request = new("Once upon a time", new SamplingOptions { Temperature = 0, StopSequences = ["little girl named"] });

        Response response = (await model.GenerateAsync([request], TestContext.Current.CancellationToken))[0];

        Assert.Equal(", there was a ", response.Text);
        Assert.Equal(FinishReason.Stop, response.FinishReason);
        Assert.True(response.Usage.ResponseTokens < 20);
    }

    // Byte tokens: characters of several bytes arrive a byte at a time, and no update holds half of one.
    [Fact]
    public async Task GenerateStreamingAsync_WildSampling_NeverCutsACharacter()
    {
        using ManagedPolicyModel model = ManagedPolicyModel.Load(Folder);
        for (int seed = 0; seed < 5; seed++)
        {
            GenerationRequest request = new("Once", new SamplingOptions { Temperature = 50, MaxTokens = 200, Seed = seed });
            StringBuilder text = new();
            Response? response = null;
            await foreach (ResponseUpdate update in model.GenerateStreamingAsync(request, TestContext.Current.CancellationToken))
            {
                Assert.Equal(update.Text, Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(update.Text)));
                text.Append(update.Text);
                response = update.Response;
            }

            Assert.Equal((await model.GenerateAsync([request], TestContext.Current.CancellationToken))[0].Text, text.ToString());
            Assert.Equal(text.ToString(), response!.Text);
        }
    }

    [Fact]
    public async Task GenerateAsync_BlankPrompt_Throws()
    {
        using ManagedPolicyModel model = ManagedPolicyModel.Load(Folder);

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(() => model.GenerateAsync([Greedy("Once", 3), Greedy(" \n", 3)], TestContext.Current.CancellationToken));

        Assert.Contains("request 1", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GenerateAsync_PromptFillsTheContext_SaysHowLongBothAre()
    {
        using ManagedPolicyModel model = ManagedPolicyModel.Load(Folder, new ManagedPolicyOptions { ContextLength = 4 });

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(() => model.GenerateAsync([Greedy("Once upon a time", 3)], TestContext.Current.CancellationToken));

        Assert.Contains("5 tokens", exception.Message, StringComparison.Ordinal);
        Assert.Contains("context of 4", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GenerateAsync_ContextEnds_FinishesByLength()
    {
        using ManagedPolicyModel model = ManagedPolicyModel.Load(Folder, new ManagedPolicyOptions { ContextLength = 12 });

        Response response = (await model.GenerateAsync([Greedy("Once upon a time", 100)], TestContext.Current.CancellationToken))[0];

        Assert.Equal(FinishReason.Length, response.FinishReason);
        Assert.Equal(12, response.Usage.TotalTokens);
    }

    [Fact]
    public async Task GetLogProbabilitiesAsync_WhatTheModelWrote_AgreesWithGeneration()
    {
        using ManagedPolicyModel model = ManagedPolicyModel.Load(Folder);
        Response response = (await model.GenerateAsync([Greedy("Once upon a time", 30) with { IncludeLogProbabilities = true }], TestContext.Current.CancellationToken))[0];

        ResponseLogProbability score = (await model.GetLogProbabilitiesAsync(
            [new LogProbabilityRequest("Once upon a time", response.Text) { IncludeEndToken = false }], TestContext.Current.CancellationToken))[0];

        Assert.Equal(response.TokenIds, score.TokenIds);
        Assert.Equal(response.LogProbability!.Value, score.Sum, 1e-3);
    }

    // A hint changes nothing but the speed: whatever it says, however the model uses it, streamed or not.
    [Fact]
    public async Task GenerateAsync_AnyPrediction_GivesTheSameResponse()
    {
        SamplingOptions options = new() { Seed = 4, MaxTokens = 60, Temperature = 0.5f, StopSequences = ["."] };
        using ManagedPolicyModel plain = ManagedPolicyModel.Load(Folder, new ManagedPolicyOptions { PromptLookup = PromptLookup.Off, PromptCacheBytes = 0 });
        Response expected = await plain.GenerateAsync("Once upon a time", options, TestContext.Current.CancellationToken);
        foreach (PromptLookup lookup in Enum.GetValues<PromptLookup>())
        {
            using ManagedPolicyModel model = ManagedPolicyModel.Load(Folder, new ManagedPolicyOptions { PromptLookup = lookup });
            foreach (string? prediction in (string?[])[null, "", expected.Text, "a big red ball", "\uD83D\uDE00 ☃"])
            {
                GenerationRequest request = new("Once upon a time", options) { Prediction = prediction };

                Response whole = (await model.GenerateAsync([request], TestContext.Current.CancellationToken))[0];
                ResponseUpdate streamed = await model.GenerateStreamingAsync(request, TestContext.Current.CancellationToken).LastAsync(TestContext.Current.CancellationToken);

                Assert.Equal((expected.Text, expected.FinishReason), (whole.Text, whole.FinishReason));
                Assert.Equal(expected.TokenIds, whole.TokenIds);
                Assert.Equal(expected.TokenIds, streamed.Response!.TokenIds);
            }
        }
    }

    [Fact]
    public async Task GenerateAsync_Prediction_TakesFewerPassesUnlessItIsSwitchedOff()
    {
        GenerationRequest request = Greedy("Once upon a time", 60);
        Dictionary<PromptLookup, long> passes = [];
        foreach (PromptLookup lookup in Enum.GetValues<PromptLookup>())
        {
            using ManagedPolicyModel model = ManagedPolicyModel.Load(Folder, new ManagedPolicyOptions { PromptLookup = lookup });
            Response response = (await model.GenerateAsync([request], TestContext.Current.CancellationToken))[0];
            long before = model.Counts.Passes;

            await model.GenerateAsync([request with { Prediction = response.Text }], TestContext.Current.CancellationToken);

            passes[lookup] = model.Counts.Passes - before;
        }

        Assert.Equal(59, passes[PromptLookup.Off]);
        Assert.InRange(passes[PromptLookup.Predicted], 1, 15);
        Assert.InRange(passes[PromptLookup.Always], 1, 15);
    }

    [Fact]
    public async Task GenerateAsync_LaterCall_TellsWhatItDidNotComputeAgain()
    {
        using ManagedPolicyModel model = ManagedPolicyModel.Load(Folder);
        Response first = await model.GenerateAsync("Once upon a time there was a dog", new SamplingOptions { MaxTokens = 3, Seed = 1 }, TestContext.Current.CancellationToken);

        Response second = await model.GenerateAsync("Once upon a time there was a cat", new SamplingOptions { MaxTokens = 3, Seed = 1 }, TestContext.Current.CancellationToken);

        Assert.Equal(0, first.Usage.CachedPromptTokens);
        Assert.InRange(second.Usage.CachedPromptTokens, 5, second.Usage.PromptTokens - 1);
    }

    [Fact]
    public async Task LoadAsync_MissingFolder_ThrowsWithItsName()
    {
        ModelFormatException exception = await Assert.ThrowsAsync<ModelFormatException>(
            () => ManagedPolicyModel.LoadAsync("no-such-folder", cancellationToken: TestContext.Current.CancellationToken));

        Assert.Contains("no-such-folder", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 1, 1, 10, nameof(ManagedPolicyOptions.ThreadCount))]
    [InlineData(1, 0, 1, 10, nameof(ManagedPolicyOptions.MaxBatchSize))]
    [InlineData(1, 1, 0, 10, nameof(ManagedPolicyOptions.PrefillLength))]
    [InlineData(1, 1, 1, 1, nameof(ManagedPolicyOptions.ContextLength))]
    public void Load_OptionOutsideItsRange_NamesIt(int threads, int places, int prefill, int context, string name)
    {
        ManagedPolicyOptions options = new() { ThreadCount = threads, MaxBatchSize = places, PrefillLength = prefill, ContextLength = context };

        Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(() => ManagedPolicyModel.Load(Folder, options)).ParamName);
    }

    [Theory]
    [InlineData((PromptLookup)3, 1, 0, nameof(ManagedPolicyOptions.PromptLookup))]
    [InlineData(PromptLookup.Off, 0, 0, nameof(ManagedPolicyOptions.MaxDraftLength))]
    [InlineData(PromptLookup.Off, 1, -1, nameof(ManagedPolicyOptions.PromptCacheBytes))]
    public void Load_SpeedOptionOutsideItsRange_NamesIt(PromptLookup lookup, int draft, long cache, string name)
    {
        ManagedPolicyOptions options = new() { PromptLookup = lookup, MaxDraftLength = draft, PromptCacheBytes = cache };

        Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(() => ManagedPolicyModel.Load(Folder, options)).ParamName);
    }

    [Fact]
    public async Task Loader_Checkpoint_LoadsItAndNamesItByContent()
    {
        ManagedPolicyModelLoader loader = new();
        PolicyCheckpoint checkpoint = new(Folder);

        using IPolicyModel model = await loader.LoadAsync(checkpoint, TestContext.Current.CancellationToken);
        string fingerprint = await loader.GetFingerprintAsync(checkpoint, TestContext.Current.CancellationToken);

        Assert.Equal("stories260K-hf", model.GetService<PolicyModelMetadata>()!.ModelId);
        Assert.Equal(512, model.GetService<PolicyModelMetadata>()!.ContextLength);
        Assert.Matches("^[0-9a-f]{64}$", fingerprint);
        Assert.Throws<ArgumentException>(() => new ManagedPolicyModelLoader(new ManagedPolicyOptions { AdapterPath = "x" }));
    }

    [Fact]
    public async Task Loader_CheckpointWithAdapter_ScoresByBothAndHasAnotherName()
    {
        ManagedPolicyModelLoader loader = new();
        PolicyCheckpoint plain = new(Folder);
        PolicyCheckpoint adapted = new(Folder, TestData.Golden("lora"));
        LogProbabilityRequest request = new("Once upon a time", ", there was a little girl named Lily.");
        using IPolicyModel plainModel = await loader.LoadAsync(plain, TestContext.Current.CancellationToken);
        using IPolicyModel adaptedModel = await loader.LoadAsync(adapted, TestContext.Current.CancellationToken);

        ResponseLogProbability plainScore = (await plainModel.GetService<ILogProbabilityModel>()!.GetLogProbabilitiesAsync([request], TestContext.Current.CancellationToken))[0];
        ResponseLogProbability adaptedScore = (await adaptedModel.GetService<ILogProbabilityModel>()!.GetLogProbabilitiesAsync([request], TestContext.Current.CancellationToken))[0];

        Assert.True(Math.Abs(plainScore.Sum - adaptedScore.Sum) > 0.1, $"{plainScore.Sum} and {adaptedScore.Sum}");
        Assert.NotEqual(
            await loader.GetFingerprintAsync(plain, TestContext.Current.CancellationToken), await loader.GetFingerprintAsync(adapted, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Loader_OtherTemplate_HasAnotherName()
    {
        PolicyCheckpoint checkpoint = new(Folder);
        ManagedPolicyModelLoader templated = new(new ManagedPolicyOptions { ChatTemplate = new ChatTemplate { Name = "mine", UserStart = "Q: ", UserEnd = "\nA:" } });

        string name = await new ManagedPolicyModelLoader().GetFingerprintAsync(checkpoint, TestContext.Current.CancellationToken);
        string other = await templated.GetFingerprintAsync(checkpoint, TestContext.Current.CancellationToken);

        Assert.NotEqual(name, other);
        Assert.Equal(other, await templated.GetFingerprintAsync(checkpoint, TestContext.Current.CancellationToken));
        using IPolicyModel model = await templated.LoadAsync(checkpoint, TestContext.Current.CancellationToken);
        Assert.True(model.GetService<PolicyModelMetadata>()!.UsesChatTemplate);
    }

    // A run knows its engine by this text: it must tell apart what changes responses, and nothing else.
    [Fact]
    public void Loader_Options_AreInItsNameWhereTheyChangeResponses()
    {
        string name = new ManagedPolicyModelLoader().ToString();

        Assert.Equal("Aries.Managed.ManagedPolicyModelLoader", name);
        Assert.Equal(name, new ManagedPolicyModelLoader(new ManagedPolicyOptions { ThreadCount = 1, MaxBatchSize = 3, PrefillLength = 7, PromptLookup = PromptLookup.Off, MaxDraftLength = 2, PromptCacheBytes = 0 }).ToString());
        Assert.NotEqual(name, new ManagedPolicyModelLoader(new ManagedPolicyOptions { ContextLength = 64 }).ToString());
    }

    [Fact]
    public void AddManaged_Container_GivesPolicyLoaderAndTrainer()
    {
        ServiceCollection services = new();
        services.AddAries().AddManaged(Folder, options => options.ContextLength = 64);

        using ServiceProvider provider = services.BuildServiceProvider();

        Assert.Equal(64, provider.GetRequiredService<IPolicyModel>().GetService<PolicyModelMetadata>()!.ContextLength);
        Assert.IsType<ManagedPolicyModelLoader>(provider.GetRequiredService<IPolicyModelLoader>());
        Assert.IsType<ManagedPolicyTrainer>(provider.GetRequiredService<IPolicyTrainer>());
        Assert.Throws<ArgumentOutOfRangeException>(() => services.AddAries().AddManaged(Folder, options => options.MaxBatchSize = 0));
    }

    [Fact]
    public void AddManaged_OptionsChangedAfterwards_DoNotMatter()
    {
        ServiceCollection services = new();
        List<Action> changes = [];
        services.AddAries().AddManaged(
            Folder,
            options =>
            {
                options.ContextLength = 64;
                changes.Add(() => options.ContextLength = 32);
            },
            options => changes.Add(() => options.BatchSize = 7));
        string trained = new ManagedPolicyTrainer().Describe();

        changes.ForEach(change => change());
        using ServiceProvider provider = services.BuildServiceProvider();

        Assert.Equal(2, changes.Count);
        Assert.Equal(64, provider.GetRequiredService<IPolicyModel>().GetService<PolicyModelMetadata>()!.ContextLength);
        Assert.Equal(trained, provider.GetRequiredService<IPolicyTrainer>().Describe());
    }

    private static GenerationRequest Greedy(string prompt, int maxTokens) => new(prompt, new SamplingOptions { Temperature = 0, MaxTokens = maxTokens });
}
