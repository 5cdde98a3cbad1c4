using Aries.Managed;
using Aries.TestKit;

namespace Aries.OnnxRuntime.Tests;

/// <summary>Two rounds in which ONNX Runtime generates and the managed engine trains: the checkpoint folder is all that they share.</summary>
public sealed class ClosedLoopTests(ExportedModels models)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task RunAsync_GenerationOnOnnxRuntimeTrainingOnTheManagedEngine_EachRoundAnswersFromTheLastOnesWeights(bool lora)
    {
        OnnxRuntimePolicyModelLoader loader = new(models.NewPath());
        AriesLoop loop = new(
            new AriesLoopParts
            {
                Loader = loader,
                Trainer = new ManagedPolicyTrainer(new ManagedTrainerOptions
                {
                    Lora = lora ? new LoraOptions { Rank = 4, Alpha = 8, Targets = LoraProjections.Attention } : null,
                    BatchSize = 4,
                    LearningRate = new LearningRateOptions { Peak = 1e-3 },
                }),
                Strategy = new AriesRefinement(turnCount: 2, new RefinementTemplate("{question} Draft: {response} Better:")),
                Selector = new RewardModelSelection(),
                Scorer = new ToyScorer("letters", request => request.Response.Sum(unit => unit) % 101),
            },
            new AriesLoopOptions { RoundCount = 2, PromptsPerRound = 6, BatchSize = 6, Sampling = new SamplingOptions { MaxTokens = 10 }, Seed = 3 },
            new StoppedTimeProvider());
        AriesLoopData data = new() { Prompts = [.. Enumerable.Range(1, 12).Select(index => new Prompt($"Tell story {index}."))] };

        AriesRunResult result = await loop.RunAsync(new PolicyCheckpoint(ExportedModels.StoriesSource), data, models.NewPath(), TestContext.Current.CancellationToken);

        using IPolicyModel served = await loader.LoadAsync(result.LastCheckpoint, TestContext.Current.CancellationToken);
        using ManagedPolicyModel trained = ManagedPolicyModel.Load(result.LastCheckpoint.ModelPath, new ManagedPolicyOptions { AdapterPath = result.LastCheckpoint.AdapterPath });
        using ManagedPolicyModel initial = ManagedPolicyModel.Load(ExportedModels.StoriesSource);
        ILogProbabilityModel servedScores = served.GetService<ILogProbabilityModel>()!;
        Assert.Equal(lora, result.LastCheckpoint.AdapterPath is not null);
        Assert.Equal(3, result.Rounds.Count); // Round 0 is the base model's.
        Assert.All(result.Rounds.Skip(1), round => Assert.True(round.GeneratedTokenCount > 0));
        await Texts.AssertSameAsync(trained, servedScores, Texts.Stories, 1e-4);
        Assert.True(Math.Abs(await Texts.MeanLogProbabilityAsync(initial) - await Texts.MeanLogProbabilityAsync(servedScores)) > 1e-3, "Training changed nothing.");
    }

    [Fact]
    public async Task GetFingerprintAsync_WrittenFolder_ChangesWithItsWeightsAlone()
    {
        OnnxRuntimePolicyModelLoader loader = new(models.NewPath());
        string same = models.CopyOf(models.Stories);
        string other = models.CopyOf(models.Stories);
        string path = Path.Combine(other, "model.onnx.data");
        byte[] bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(path, bytes);

        string expected = await loader.GetFingerprintAsync(new PolicyCheckpoint(models.Stories), TestContext.Current.CancellationToken);

        Assert.Equal(expected, await loader.GetFingerprintAsync(new PolicyCheckpoint(same), TestContext.Current.CancellationToken));
        Assert.NotEqual(expected, await loader.GetFingerprintAsync(new PolicyCheckpoint(other), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task LoadAsync_MissingCheckpoint_Throws() =>
        await Assert.ThrowsAsync<ModelFormatException>(() => new OnnxRuntimePolicyModelLoader(models.NewPath()).LoadAsync(new PolicyCheckpoint(models.NewPath()), TestContext.Current.CancellationToken));
}
