using Aries.Managed;
using Aries.TestKit;

namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>The real library against the managed engine on the same weights.</summary>
[Collection(FakeLibraryTests.Name)]
public sealed class RealLibraryTests(GenAIFolders folders)
{
    // Two engines in float32: the tolerance of GenAIModelWriter's tests.
    private const double Tolerance = 1e-4;

    private static readonly string[] Names = ["Tom", "Ann", "Ben", "Sue"];

    [Theory]
    [InlineData(1)]
    [InlineData(32)]
    public async Task GenerateAsync_SeedsAndOptions_DrawsWhatTheManagedEngineDraws(int maxBatchSize)
    {
        using GenAIPolicyModel model = GenAIPolicyModel.Load(folders.Stories, RealLibrary.Options with { MaxBatchSize = maxBatchSize });
        using ManagedPolicyModel managed = ManagedPolicyModel.Load(GenAIFolders.StoriesSource);
        SamplingOptions[] options =
        [
            new() { MaxTokens = 30, Temperature = 0 },
            new() { MaxTokens = 30, Temperature = 0.7f, TopK = 12 },
            new() { MaxTokens = 30, TopP = 0.8f, RepetitionPenalty = 1.3f },
            new() { MaxTokens = 30, MinP = 0.1f, StopSequences = ["the", "."] },
        ];
        GenerationRequest[] requests =
        [
            .. Enumerable.Range(0, 24).Select(index =>
                new GenerationRequest(index % 3 == 0 ? "Once upon a time" : $"{Names[index % 4]} saw a", options[index % 4] with { Seed = index }) { IncludeLogProbabilities = true }),
        ];

        await Engines.AssertSameAsync(managed, model, requests, Tolerance);
    }

    [Fact]
    public async Task GenerateAsync_QuickStart_AnswersAsTheManagedEngine()
    {
        using GenAIPolicyModel model = GenAIPolicyModel.Load(folders.QuickStart, RealLibrary.Options);
        using ManagedPolicyModel managed = ManagedPolicyModel.Load(GenAIFolders.QuickStartSource);
        GenerationRequest[] requests =
        [
            .. Enumerable.Range(0, 100).Select(index => new GenerationRequest(
                $"{Names[index % 4]} has {index} apples and buys {index * 7 % 20} more. How many apples does {Names[index % 4]} have?", new SamplingOptions { Temperature = 0, MaxTokens = 40 })),
        ];

        await Engines.AssertSameAsync(managed, model, requests);
        await Engines.AssertSameAsync(managed, model, requests[..1]);
    }

    [Fact]
    public async Task GetLogProbabilitiesAsync_Stories_ScoresAsTheManagedEngine()
    {
        using GenAIPolicyModel model = GenAIPolicyModel.Load(folders.Stories, RealLibrary.Options with { PrefillLength = 5 });
        using ManagedPolicyModel managed = ManagedPolicyModel.Load(GenAIFolders.StoriesSource);

        await Engines.AssertSameScoresAsync(managed, model, Engines.Scored, Tolerance);
    }

    [Fact]
    public async Task GenerateAsync_TemplateOfTheOptions_AnswersAsTheManagedEngine()
    {
        ChatTemplate template = ChatTemplate.Plain with { Name = "story", UserStart = "Q: ", UserEnd = "\n", AssistantStart = "A: ", AssistantEnd = "\n", ResponseStart = "A:" };
        using GenAIPolicyModel model = GenAIPolicyModel.Load(folders.Stories, RealLibrary.Options with { ChatTemplate = template });
        using ManagedPolicyModel managed = ManagedPolicyModel.Load(GenAIFolders.StoriesSource, new ManagedPolicyOptions { ChatTemplate = template });

        await Engines.AssertSameAsync(managed, model, [new GenerationRequest("Who?", new SamplingOptions { Temperature = 0, MaxTokens = 20 })]);
    }

    [Fact]
    public async Task LoadAsync_AdapterOnAndOff_ScoresAsTheManagedEngineWithAndWithoutIt()
    {
        using GenAIPolicyModelLoader loader = new(RealLibrary.Options, (_, _) => Task.FromResult(folders.Adaptable));
        using ManagedPolicyModel managedBase = ManagedPolicyModel.Load(GenAIFolders.StoriesSource);
        using ManagedPolicyModel managedTrained = ManagedPolicyModel.Load(GenAIFolders.StoriesSource, new ManagedPolicyOptions { AdapterPath = GenAIFolders.Adapter });
        GenerationRequest[] requests = [.. Names.Select(name => new GenerationRequest($"{name} saw a", new SamplingOptions { Temperature = 0, MaxTokens = 24 }))];

        foreach (string? adapter in (string?[])[null, GenAIFolders.Adapter, null])
        {
            using IPolicyModel model = await loader.LoadAsync(new PolicyCheckpoint(GenAIFolders.StoriesSource, adapter), TestContext.Current.CancellationToken);
            ManagedPolicyModel managed = adapter is null ? managedBase : managedTrained;

            await Engines.AssertSameScoresAsync(managed, model.GetService<ILogProbabilityModel>()!, Engines.Scored, Tolerance);
            await Engines.AssertSameAsync(managed, model, requests);
        }

        Assert.Equal(1, GenAIRuntime.ModelCount);
    }

    [Fact]
    public async Task RunAsync_TrainedByTheManagedEngineServedByGenAI_WritesTheSameTexts()
    {
        GenAIPolicyOptions options = RealLibrary.Options;
        ManagedPolicyTrainer trainer = new(new ManagedTrainerOptions
        {
            Lora = new LoraOptions { Rank = 4, Alpha = 8, Targets = LoraProjections.All },
            BatchSize = 4,
            LearningRate = new LearningRateOptions { Peak = 1e-3 },
        });
        using GenAIPolicyModelLoader loader = new(options, (_, _) => Task.FromResult(folders.Adaptable));
        AriesLoop loop = new(
            new AriesLoopParts
            {
                Loader = loader,
                Trainer = trainer,
                Strategy = new AriesRefinement(turnCount: 2, new RefinementTemplate("{question} Draft: {response} Better:")),
                Selector = new RewardModelSelection(),
                Scorer = new ToyScorer("letters", request => request.Response.Sum(unit => unit) % 101),
            },
            new AriesLoopOptions { RoundCount = 2, PromptsPerRound = 6, BatchSize = 6, Sampling = new SamplingOptions { MaxTokens = 10 }, Seed = 3 },
            new StoppedTimeProvider());
        AriesLoopData data = new() { Prompts = [.. Enumerable.Range(1, 12).Select(index => new Prompt($"Tell story {index}."))] };

        AriesRunResult result = await loop.RunAsync(new PolicyCheckpoint(GenAIFolders.StoriesSource), data, folders.NewPath(), TestContext.Current.CancellationToken);

        using IPolicyModel served = await loader.LoadAsync(result.LastCheckpoint, TestContext.Current.CancellationToken);
        using ManagedPolicyModel trained = ManagedPolicyModel.Load(result.LastCheckpoint.ModelPath, new ManagedPolicyOptions { AdapterPath = result.LastCheckpoint.AdapterPath });
        Assert.NotNull(result.LastCheckpoint.AdapterPath);
        await Engines.AssertSameAsync(trained, served, [.. Enumerable.Range(0, 20).Select(index => new GenerationRequest($"Tell story {index}.", new SamplingOptions { Temperature = 0, MaxTokens = 24 }))]);
    }
}
