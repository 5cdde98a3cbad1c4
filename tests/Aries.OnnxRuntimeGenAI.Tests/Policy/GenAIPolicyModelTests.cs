using System.Text.Json.Nodes;
using Aries.Managed;
using Microsoft.Extensions.DependencyInjection;

namespace Aries.OnnxRuntimeGenAI.Tests;

public sealed class GenAIPolicyModelTests(GenAIFolders folders) : FakeLibraryTests(folders)
{
    private static readonly string[] Names = ["Tom", "Ann", "Ben", "Sue"];

    private static readonly SamplingOptions[] Options =
    [
        new() { MaxTokens = 30 },
        new() { MaxTokens = 30, Temperature = 0.7f, TopK = 12 },
        new() { MaxTokens = 30, TopP = 0.8f, RepetitionPenalty = 1.3f },
        new() { MaxTokens = 30, MinP = 0.1f, StopSequences = ["the", "."] },
        new() { MaxTokens = 30, Temperature = 0 },
    ];

    private static GenerationRequest[] Requests =>
    [
        .. Enumerable.Range(0, 25).Select(index =>
            new GenerationRequest(index % 3 == 0 ? "Once upon a time" : $"{Names[index % 4]} saw a", Options[index % 5] with { Seed = index }) { IncludeLogProbabilities = true }),
    ];

    // The fake computes with the managed engine's network, bit for bit: whatever the batch, nothing may differ.
    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(32)]
    public async Task GenerateAsync_EverySamplingOptionAndSeed_DrawsWhatTheManagedEngineDraws(int maxBatchSize)
    {
        using GenAIPolicyModel model = LoadStories(new GenAIPolicyOptions { MaxBatchSize = maxBatchSize });

        await Engines.AssertStoriesAsync(model, Requests);
    }

    [Fact]
    public async Task GenerateAsync_OneByOneWithoutKeepingAnything_DrawsTheSame()
    {
        using GenAIPolicyModel model = LoadStories(new GenAIPolicyOptions { KeepsLastSequence = false, PrefillLength = 3 });
        int alive = Library.AliveCount;

        foreach (GenerationRequest request in Requests[..6])
        {
            await Engines.AssertStoriesAsync(model, [request]);
            Assert.Equal(alive, Library.AliveCount);
        }
    }

    [Theory]
    [InlineData("CUDA", "llama", true, false)]
    [InlineData("CUDA", "llama", false, false)]
    [InlineData("CUDA", "llama", true, true)]
    [InlineData("DirectML", "llama", true, false)]
    [InlineData("CUDA", "phi3", false, false)]
    public async Task GenerateAsync_DeviceThatCannotDoEverything_DrawsTheSame(string device, string modelType, bool canRewind, bool prunesHead)
    {
        (Library.HasDevice, Library.Device, Library.CanRewind, Library.PrunesHead) = (true, device, canRewind, prunesHead);
        string folder = Folders.CopyOf(Folders.Stories);
        Change(folder, json => json["model"]!["type"] = modelType);
        using GenAIPolicyModel model = Load(folder, GenAIFolders.StoriesSource, new GenAIPolicyOptions { Providers = [GenAIExecutionProvider.Cuda()] });

        await Engines.AssertStoriesAsync(model, Requests[..5]);
        await Engines.AssertStoriesAsync(model, [Requests[6]]);
        await Engines.AssertStoriesAsync(model, [Requests[7] with { Prediction = " big dog. The big dog was happy." }]);
    }

    [Fact]
    public async Task GenerateAsync_GraphOfTheProvider_RunsRequestsOneAtATime()
    {
        Library.HasDevice = true;
        using GenAIPolicyModel model = LoadStories(new GenAIPolicyOptions { Providers = [GenAIExecutionProvider.Cuda(deviceId: 1, memoryLimit: 1 << 30, usesGraph: true)] });

        await Engines.AssertStoriesAsync(model, Requests[..3]);

        FakeConfig config = Library.Configs.Single();
        Assert.Equal(["cuda"], config.Providers!);
        Assert.Equal(("1", "1", "1073741824"), (config.ProviderOptions["cuda.device_id"], config.ProviderOptions["cuda.enable_cuda_graph"], config.ProviderOptions["cuda.gpu_mem_limit"]));
    }

    // The real library refuses the pattern of QuickStart's tokenizer; then the reader of Aries takes its place.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task GenerateAsync_ChatTemplateOfTheFolder_AnswersAsTheManagedEngine(bool readsTokenizer)
    {
        Library.ReadsTokenizer = readsTokenizer;
        using GenAIPolicyModel model = Load(Folders.QuickStart, GenAIFolders.QuickStartSource);
        using ManagedPolicyModel managed = ManagedPolicyModel.Load(GenAIFolders.QuickStartSource);
        GenerationRequest[] requests =
        [
            .. Enumerable.Range(0, 40).Select(index => new GenerationRequest(
                $"{Names[index % 4]} has {index} apples and buys {index * 7 % 20} more. How many apples does {Names[index % 4]} have?",
                new SamplingOptions { Temperature = 0, MaxTokens = 40 })),
        ];

        await Engines.AssertSameAsync(managed, model, requests);

        Assert.Equal(managed.GetService<PolicyModelMetadata>()!.UsesChatTemplate, model.GetService<PolicyModelMetadata>()!.UsesChatTemplate);
    }

    // Two turns of a conversation: the template writes what was said before.
    [Fact]
    public async Task GenerateAsync_TemplateOfTheOptions_TakesTheFoldersPlace()
    {
        ChatTemplate template = ChatTemplate.Plain with { Name = "story", UserStart = "Q: ", UserEnd = "\n", AssistantStart = "A: ", AssistantEnd = "\n", ResponseStart = "A:" };
        using GenAIPolicyModel model = LoadStories(new GenAIPolicyOptions { ChatTemplate = template });
        using ManagedPolicyModel managed = ManagedPolicyModel.Load(GenAIFolders.StoriesSource, new ManagedPolicyOptions { ChatTemplate = template });
        Prompt prompt = new([new PromptTurn(PromptRole.User, "Who?"), new PromptTurn(PromptRole.Assistant, "Tom."), new PromptTurn(PromptRole.User, "Where?")]);

        await Engines.AssertSameAsync(managed, model, [new GenerationRequest(prompt, new SamplingOptions { Temperature = 0, MaxTokens = 20 })]);
    }

    [Fact]
    public void Load_TemplateWithATokenThatTheTokenizerLacks_Throws() =>
        Assert.Contains(
            "<|im_start|>",
            Assert.Throws<ModelFormatException>(() => LoadStories(new GenAIPolicyOptions { ChatTemplate = ChatTemplate.ChatMl })).Message,
            StringComparison.Ordinal);

    // The search of the folder samples, penalises, and cuts prompts into chunks; its padding is its end token.
    [Fact]
    public async Task GenerateAsync_FolderWithSettingsOfItsOwn_ChangesNothing()
    {
        string folder = Folders.CopyOf(Folders.Stories);
        Change(folder, json =>
        {
            json["model"]!["pad_token_id"] = json["model"]!["eos_token_id"] is JsonArray ends ? ends[0]!.DeepClone() : json["model"]!["eos_token_id"]!.DeepClone();
            json["search"] = new JsonObject
            {
                ["do_sample"] = true,
                ["repetition_penalty"] = 1.4,
                ["top_k"] = 3,
                ["temperature"] = 0.3,
                ["min_length"] = 20,
                ["no_repeat_ngram_size"] = 2,
                ["num_beams"] = 2,
                ["chunk_size"] = 2,
            };
        });
        using GenAIPolicyModel model = Load(folder, GenAIFolders.StoriesSource);

        await Engines.AssertStoriesAsync(model, Requests[..6]);
        await Engines.AssertStoriesAsync(model, [Requests[7]]);
        await Engines.AssertStoryScoresAsync(model);
    }

    // A prompt that ends with the token that the folder pads with: the library would take the logits of the token before it.
    [Fact]
    public async Task GetLogProbabilitiesAsync_TextThatEndsWithThePaddingToken_IsScoredWhole()
    {
        string folder = Folders.CopyOf(Folders.Stories);
        using ManagedPolicyModel managed = ManagedPolicyModel.Load(GenAIFolders.StoriesSource);
        int last = (await managed.GetLogProbabilitiesAsync([new("Tom", " saw a dog") { IncludeEndToken = false }], TestContext.Current.CancellationToken))[0].TokenIds[^1];
        Change(folder, json => json["model"]!["pad_token_id"] = last);
        using GenAIPolicyModel model = Load(folder, GenAIFolders.StoriesSource);

        await Engines.AssertStoriesAsync(model, [new GenerationRequest("Tom saw a dog", new SamplingOptions { Temperature = 0, MaxTokens = 12 })]);
        await Engines.AssertStoriesAsync(model, [.. Enumerable.Range(0, 3).Select(index => new GenerationRequest(index == 1 ? "Tom" : "Tom saw a dog", new SamplingOptions { MaxTokens = 12, Seed = index }))]);
        await Engines.AssertStoryScoresAsync(model);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task GenerateAsync_Prediction_TakesFewerPassesForTheSameTokens(bool greedy)
    {
        using GenAIPolicyModel plain = LoadStories(new GenAIPolicyOptions { MaxDraftLength = 0, KeepsLastSequence = false });
        using GenAIPolicyModel drafting = LoadStories(new GenAIPolicyOptions { KeepsLastSequence = false });
        SamplingOptions sampling = new() { MaxTokens = 120, Temperature = greedy ? 0 : 1, RepetitionPenalty = greedy ? 1 : 1.1f, Seed = 3 };
        Response first = await plain.GenerateAsync("Once upon a time", sampling, TestContext.Current.CancellationToken);
        GenerationRequest request = new("Once upon a time", sampling) { Prediction = first.Text, IncludeLogProbabilities = true };

        Library.ResetCounts();
        Response expected = (await plain.GenerateAsync([request], TestContext.Current.CancellationToken))[0];
        int plainPasses = Library.PassCount;
        Library.ResetCounts();
        Response actual = (await drafting.GenerateAsync([request], TestContext.Current.CancellationToken))[0];

        Assert.Equal(expected.TokenIds, actual.TokenIds);
        Assert.Equal(expected.Text, actual.Text);
        Assert.Equal(expected.FinishReason, actual.FinishReason);
        Assert.Equal(expected.TokenLogProbabilities, actual.TokenLogProbabilities);
        Assert.True(Library.PassCount * 3 < plainPasses, $"{Library.PassCount} passes with guesses, {plainPasses} without.");
    }

    // Predictions that are wrong in every way: of another text, cut, doubled, of no token.
    [Theory]
    [InlineData("The sun was hot. The sun was hot. The sun was hot.")]
    [InlineData(" there was a little girl named Tom there was a little boy")]
    [InlineData("")]
    [InlineData("\0")]
    public async Task GenerateAsync_WrongPrediction_ChangesNothing(string prediction)
    {
        using GenAIPolicyModel model = LoadStories();

        await Engines.AssertStoriesAsync(model, [new GenerationRequest("Once upon a time", new SamplingOptions { MaxTokens = 60, Seed = 9 }) { Prediction = prediction }]);
    }

    [Fact]
    public async Task GenerateAsync_CandidatesOneByOne_ComputeTheirPromptOnce()
    {
        using GenAIPolicyModel model = LoadStories(new GenAIPolicyOptions { MaxBatchSize = 1 });
        GenerationRequest[] requests = [.. Enumerable.Range(0, 4).Select(seed => new GenerationRequest("Once upon a time, there was a", new SamplingOptions { MaxTokens = 5, Seed = seed }))];

        IReadOnlyList<Response> responses = await model.GenerateAsync(requests, TestContext.Current.CancellationToken);

        Assert.Equal(0, responses[0].Usage.CachedPromptTokens);
        Assert.All(responses.Skip(1), response => Assert.Equal(response.Usage.PromptTokens - 1, response.Usage.CachedPromptTokens));
    }

    // A chain as refinement makes it: each turn begins with the question and goes on with the answer before it.
    [Fact]
    public async Task GenerateAsync_TurnsOfAChain_ComputeOnlyWhatIsNew()
    {
        using GenAIPolicyModel model = LoadStories();
        string prompt = "Once upon a time, there was a big dog. He liked to play in the park with his friends.";
        SamplingOptions sampling = new() { Temperature = 0, MaxTokens = 20 };
        Library.ResetCounts();

        long prompts = 0;
        for (int turn = 0; turn < 4; turn++)
        {
            Response response = await model.GenerateAsync(prompt, sampling, TestContext.Current.CancellationToken);
            await Engines.AssertStoriesAsync(model, [new GenerationRequest(prompt, sampling)]);
            Assert.True(turn == 0 || response.Usage.CachedPromptTokens > response.Usage.PromptTokens / 2);
            prompts += response.Usage.PromptTokens;
            prompt += response.Text + " Then";
        }

        // Twice the four responses, and each token of the longest prompt once; the tokens before a cut may differ by a merge.
        Assert.True(Library.TokenCount < prompts + (8 * 20), $"{Library.TokenCount} tokens were computed for {prompts} of prompts.");
    }

    [Fact]
    public async Task GenerateAsync_PromptThatFillsTheContext_WritesOneTokenAndEnds()
    {
        using GenAIPolicyModel model = LoadStories();
        string prompt = "Once upon a time, there was a";
        int length = (int)(await model.GenerateAsync(prompt, new SamplingOptions { MaxTokens = 1 }, TestContext.Current.CancellationToken)).Usage.PromptTokens;
        using GenAIPolicyModel full = LoadStories(new GenAIPolicyOptions { ContextLength = length + 1 });

        IReadOnlyList<Response> responses = await full.GenerateAsync(
            [new(prompt, new SamplingOptions { Temperature = 0, MaxTokens = 50 }), new("Once", new SamplingOptions { Temperature = 0, MaxTokens = 50 })], TestContext.Current.CancellationToken);

        Assert.Equal(FinishReason.Length, responses[0].FinishReason);
        Assert.Single(responses[0].TokenIds!);
        Assert.Equal(length + 1, responses[1].Usage.TotalTokens);
        Assert.Contains("Shorten", (await Assert.ThrowsAnyAsync<ArgumentException>(() => full.GenerateAsync(prompt + " big", cancellationToken: TestContext.Current.CancellationToken))).Message, StringComparison.Ordinal);
    }

    // The context is exceeded in the third turn of a conversation: that call says so, and a shorter one works.
    [Fact]
    public async Task GenerateAsync_ContextExceededInALaterTurn_ThrowsAndTheNextCallWorks()
    {
        using GenAIPolicyModel model = LoadStories(new GenAIPolicyOptions { ContextLength = 64 });
        string text = "Once upon a time";
        ArgumentException? refused = null;
        for (int turn = 0; turn < 6 && refused is null; turn++)
        {
            try
            {
                text += (await model.GenerateAsync(text, new SamplingOptions { Temperature = 0, MaxTokens = 24 }, TestContext.Current.CancellationToken)).Text;
            }
            catch (ArgumentException exception)
            {
                refused = exception;
            }
        }

        Assert.Contains("64", refused!.Message, StringComparison.Ordinal);
        Assert.NotEmpty((await model.GenerateAsync("Tom", new SamplingOptions { MaxTokens = 4 }, TestContext.Current.CancellationToken)).Text);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public async Task GenerateAsync_CancelledInsideAPass_ThrowsAndTheNextCallWorks(int requestCount)
    {
        using GenAIPolicyModel model = LoadStories();
        using CancellationTokenSource source = new();
        int passes = 0;
        Library.OnPass = () =>
        {
            // The pass goes on until it is told to end, as one over a long prompt does.
            if (++passes == 5)
            {
                source.Cancel();
            }
        };
        GenerationRequest[] requests = [.. Enumerable.Range(0, requestCount).Select(seed => new GenerationRequest("Once", new SamplingOptions { MaxTokens = 400, Seed = seed }))];

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => model.GenerateAsync(requests, source.Token));

        Assert.Equal(5, passes);
        Library.OnPass = null;
        await Engines.AssertStoriesAsync(model, Requests[..2]);
        await Engines.AssertStoriesAsync(model, [Requests[3]]);
    }

    [Fact]
    public async Task GetLogProbabilitiesAsync_CancelledInsideAPass_ThrowsAndTheNextCallWorks()
    {
        using GenAIPolicyModel model = LoadStories(new GenAIPolicyOptions { PrefillLength = 4 });
        using CancellationTokenSource source = new();
        Library.OnPass = source.Cancel;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => model.GetLogProbabilitiesAsync([new("Tom", " saw a big dog in the park.")], source.Token));

        Library.OnPass = null;
        await Engines.AssertStoryScoresAsync(model);
    }

    [Fact]
    public async Task GenerateAsync_MemoryOfTheDeviceIsExhausted_SaysWhatToLowerAndTheNextCallWorks()
    {
        Library.HasDevice = true;
        using GenAIPolicyModel model = LoadStories(new GenAIPolicyOptions { Providers = [GenAIExecutionProvider.Cuda()] });
        Library.MemoryTokens = 300;

        InferenceFailedException exception = await Assert.ThrowsAsync<InferenceFailedException>(() => model.GenerateAsync(Requests, TestContext.Current.CancellationToken));

        Assert.Contains(nameof(GenAIPolicyOptions.MaxBatchSize), exception.Message, StringComparison.Ordinal);
        await Engines.AssertStoriesAsync(model, [Requests[0]]);
    }

    // With a template, the text goes to the library as JSON and comes back as a text of C.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task GenerateAsync_PromptThatCCannotRead_ThrowsAndTheNextCallWorks(bool hasTemplate)
    {
        using GenAIPolicyModel model = hasTemplate ? Load(Folders.QuickStart, GenAIFolders.QuickStartSource) : LoadStories();

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(() => model.GenerateAsync("Tom\0Ann", cancellationToken: TestContext.Current.CancellationToken));

        Assert.Contains("U+0000", exception.Message, StringComparison.Ordinal);
        Assert.NotEmpty((await model.GenerateAsync("Tom", new SamplingOptions { MaxTokens = 3 }, TestContext.Current.CancellationToken)).TokenIds!);
    }

    // Models of one device wait for each other, models of the processor do not have to: the fake notes two threads in one.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task GenerateAsync_ManyModelsAndThreads_NeverMeetInside(bool isDevice)
    {
        Library.HasDevice = isDevice;
        GenAIPolicyOptions options = new() { Providers = isDevice ? [GenAIExecutionProvider.Cuda()] : [] };
        GenAIPolicyModel[] models = [.. Enumerable.Range(0, 3).Select(_ => LoadStories(options))];
        using ManagedPolicyModel managed = ManagedPolicyModel.Load(GenAIFolders.StoriesSource);
        IReadOnlyList<Response> expected = await managed.GenerateAsync(Requests[..4], TestContext.Current.CancellationToken);

        await Task.WhenAll(Enumerable.Range(0, 12).Select(call => Task.Run(
            async () =>
            {
                GenAIPolicyModel model = models[call % 3];
                Response response = (await model.GenerateAsync([Requests[call % 4]], TestContext.Current.CancellationToken))[0];
                Assert.Equal(expected[call % 4].TokenIds, response.TokenIds);
                await model.GetLogProbabilitiesAsync([new("Tom", " saw a dog.")], TestContext.Current.CancellationToken);
                using GenAIPolicyModel other = GenAIPolicyModel.Load(_ => Library.Api, Folders.Stories, options);
                await other.GenerateAsync("Tom", new SamplingOptions { MaxTokens = 3 }, TestContext.Current.CancellationToken);
            },
            TestContext.Current.CancellationToken)));

        Array.ForEach(models, model => model.Dispose());
    }

    [Theory]
    [InlineData(256, false, true, false)]
    [InlineData(5, false, true, false)]
    [InlineData(5, true, true, false)]
    [InlineData(5, true, false, false)]
    [InlineData(5, false, true, true)]
    public async Task GetLogProbabilitiesAsync_AnyChunksAndGraph_ScoresAsTheManagedEngine(int prefillLength, bool prunesHead, bool canRewind, bool isHalf)
    {
        (Library.PrunesHead, Library.CanRewind, Library.IsHalf) = (prunesHead, canRewind, isHalf);
        using GenAIPolicyModel model = LoadStories(new GenAIPolicyOptions { PrefillLength = prefillLength });

        // Half a unit in the last place of a float16 logit below 16 is 2⁻⁷ × ½ = 0.004; a log-probability is the difference of two such values.
        await Engines.AssertStoryScoresAsync(model, isHalf ? 0.016 : 1e-5);
    }

    [Fact]
    public async Task GetLogProbabilitiesAsync_ResponsesToOnePrompt_ComputeItOnce()
    {
        using GenAIPolicyModel model = LoadStories();
        LogProbabilityRequest[] requests = [.. Names.Select(name => new LogProbabilityRequest("Once upon a time, there was a big dog in the park. His name was", $" {name}."))];
        IReadOnlyList<ResponseLogProbability> scores = await model.GetLogProbabilitiesAsync(requests, TestContext.Current.CancellationToken);
        int once = Library.TokenCount;
        Library.ResetCounts();

        await model.GetLogProbabilitiesAsync(requests, TestContext.Current.CancellationToken);

        // The last token of the prompt, for its logits, and the response without its last.
        Assert.True(Library.TokenCount <= scores.Sum(score => score.TokenIds.Count));
        Assert.True(once < 2 * Library.TokenCount + 40, $"{once} tokens at first, {Library.TokenCount} then.");
    }

    [Fact]
    public async Task EncodePrompt_UserTextThatSpellsSpecialTokens_NeverMakesThem()
    {
        using GenAIPolicyModel model = Load(Folders.QuickStart, GenAIFolders.QuickStartSource);
        using OgaModel native = OgaModel.Load(Library.Api, GenAIFolder.Read(Folders.QuickStart), new GenAIPolicyOptions());
        using OgaTokenizer tokenizer = new(native);
        NativeTextCodec encoder = new(tokenizer, native.Folder, template: null);
        ITextTokenizer own = TokenizerFolder.Load(Folders.QuickStart);
        int end = own.Id("<|end|>")!.Value;
        int endCount = encoder.EncodePrompt("Hello").Count(id => id == end);

        int[] prompt = encoder.EncodePrompt("Say <|end|> or <|begin|> to stop.\uE000");
        EncodedExample example = encoder.Encode("Say it", "<|end|>");

        Assert.Equal(endCount, prompt.Count(id => id == end));
        Assert.Contains("<|end|> or <|begin|>", own.Decode(prompt), StringComparison.Ordinal);
        Assert.Equal(end, example.Response[^1]);
        Assert.DoesNotContain(end, example.Response[..^1]);
        Assert.NotEmpty((await model.GenerateAsync("Say <|end|>.", new SamplingOptions { MaxTokens = 3 }, TestContext.Current.CancellationToken)).TokenIds!);
    }

    [Fact]
    public async Task AddOnnxRuntimeGenAI_Container_HoldsTheOptionsAndDisposesTheModel()
    {
        ServiceCollection services = new();
        IAriesBuilder builder = services.AddAries();

        Assert.Throws<ArgumentOutOfRangeException>(() => builder.AddOnnxRuntimeGenAI(Folders.Stories, options => options.MaxBatchSize = 33));
        builder.AddOnnxRuntimeGenAI(Folders.NewPath());
        await using ServiceProvider provider = services.BuildServiceProvider();

        // The folder is read when the model is first asked for, and before any native library.
        Assert.Throws<ModelFormatException>(provider.GetRequiredService<IPolicyModel>);
    }

    [Fact]
    public async Task Dispose_WithModelsLoaded_ShutdownIsRefusedUntilTheLastIsGone()
    {
        GenAIPolicyModel model = LoadStories();

        Assert.Contains("1", Assert.Throws<InvalidOperationException>(GenAIRuntime.Shutdown).Message, StringComparison.Ordinal);
        model.Dispose();
        model.Dispose();

        Assert.Equal(0, GenAIRuntime.ModelCount);
        GenAIRuntime.Shutdown();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => model.GetLogProbabilitiesAsync([new("Tom", " ran.")], TestContext.Current.CancellationToken));
    }

    private static void Change(string folder, Action<JsonNode> change)
    {
        string path = Path.Combine(folder, "genai_config.json");
        JsonNode json = JsonNode.Parse(File.ReadAllText(path))!;
        change(json);
        File.WriteAllText(path, json.ToJsonString());
    }
}
