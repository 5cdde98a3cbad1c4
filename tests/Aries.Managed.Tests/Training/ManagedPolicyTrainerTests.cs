using System.Text.Json;
using System.Text.Json.Nodes;
using Aries.Preferences;
using Aries.TestKit;

namespace Aries.Managed.Tests;

public sealed class ManagedPolicyTrainerTests : IDisposable
{
    private static readonly RefinementTemplate Template = new("q{question}a{response}r");
    private static readonly string[] StateFiles = ["state.json", "weights.safetensors", "first_moments.safetensors", "second_moments.safetensors"];

    private readonly string _folder = Directory.CreateTempSubdirectory("aries-training-").FullName;
    private readonly WorkerPool _pool = new(2);

    public ManagedPolicyTrainerTests()
    {
        LlamaFolder.Save(At("model"), Config, TestModels.Random(Config, seed: 1));
        LlamaFolder.Save(At("other"), Config, TestModels.Random(Config, seed: 2));
    }

    private static LlamaConfig Config { get; } = TestModels.StoriesConfig with
    {
        HiddenSize = 16,
        IntermediateSize = 24,
        LayerCount = 2,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadSize = 4,
        VocabularySize = 40,
        ContextLength = 64,
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _pool.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    // Policy = reference: loss ln 2, rewards 0, accuracy 0 (strict >), in each mode, to the last bit.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task TrainPreferencesAsync_ReferenceIsPolicy_BeginsAtLnTwo(bool lora)
    {
        ManagedTrainerOptions options = Options(lora) with { Loss = new DpoLoss(), MicroBatchTokens = 50 };
        List<TrainingProgress> steps = [];

        await Trainer(options).TrainPreferencesAsync(Request("out"), steps.Add, Token);

        Assert.Equal(Math.Log(2), steps[0].Metrics["loss"], 1e-15);
        Assert.Equal(0, steps[0].Metrics["rewards/chosen"]);
        Assert.Equal(0, steps[0].Metrics["rewards/margins"]);
        Assert.Equal(0, steps[0].Metrics["rewards/accuracies"]);
        Assert.True(steps[^1].Metrics["loss"] < 0.68, $"the last loss was {steps[^1].Metrics["loss"]}");
        Assert.Equal(Enumerable.Range(1, steps.Count), steps.Select(step => step.Step));
        Assert.All(steps, step => Assert.Equal(steps.Count, step.StepCount));
    }

    // A frozen copy in another folder scores the same bits as the policy itself, and leaves the same training; another model does neither.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task TrainPreferencesAsync_ReferenceInItsOwnFolder_IsTheOneScored(bool lora)
    {
        List<TrainingProgress> own = [];
        LlamaFolder.Save(At("copy"), Config, TestModels.Random(Config, seed: 1));
        List<TrainingProgress> copy = [];
        List<TrainingProgress> other = [];

        await Trainer(Options(lora)).TrainPreferencesAsync(Request("out"), own.Add, Token);
        await Trainer(Options(lora)).TrainPreferencesAsync(Request("out1", reference: "copy"), copy.Add, Token);
        await Trainer(Options(lora)).TrainPreferencesAsync(Request("out2", reference: "other"), other.Add, Token);

        Assert.Equal(0, copy[0].Metrics["rewards/chosen"]);
        Assert.Equal(own.Select(step => step.Metrics["loss"]), copy.Select(step => step.Metrics["loss"]));
        Assert.True(Math.Abs(other[0].Metrics["rewards/chosen"]) > 1e-4, $"{other[0].Metrics["rewards/chosen"]}");
    }

    // Cancelled after a random step, again and again, in the middle of epochs: the same output files and metrics as without a stop.
    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    public async Task TrainPreferencesAsync_CancelledAtRandomSteps_ResumesToTheSameBits(bool lora, int seed)
    {
        TrainingResult expected = await Trainer(Options(lora)).TrainPreferencesAsync(Request("unbroken"), null, Token);
        Random random = new(seed);
        TrainingResult? actual = null;
        int stops = 0;
        List<int> seen = [];
        while (actual is null)
        {
            using CancellationTokenSource source = CancellationTokenSource.CreateLinkedTokenSource(Token);
            int left = 1 + random.Next(3);
            try
            {
                actual = await Trainer(Options(lora) with { StateInterval = 1 + random.Next(4) }).TrainPreferencesAsync(
                    Request("broken") with { StatePath = At("state") },
                    progress =>
                    {
                        seen.Add(progress.Step);
                        if (--left == 0)
                        {
                            source.Cancel();
                        }
                    },
                    source.Token);
            }
            catch (OperationCanceledException)
            {
                stops++;
                Assert.False(Path.Exists(At("broken")));
            }
        }

        Assert.True(stops >= 3, $"stopped {stops} times only");
        Assert.Equal(Enumerable.Range(1, expected.StepCount), seen);
        Assert.Equal(expected.Metrics.OrderBy(entry => entry.Key), actual.Metrics.OrderBy(entry => entry.Key));
        string weights = lora ? "adapter_model.safetensors" : "model.safetensors";
        Assert.Equal(File.ReadAllBytes(Path.Combine(At("unbroken"), weights)), File.ReadAllBytes(Path.Combine(At("broken"), weights)));
        Assert.Empty(Directory.GetDirectories(At("state")));
    }

    [Fact]
    public async Task TrainSupervisedAsync_DirectAndRefinement_LowersTheLossAndWritesAModel()
    {
        List<TrainingProgress> steps = [];
        SupervisedTrainingRequest request = new()
        {
            Policy = new PolicyCheckpoint(At("model")),
            OutputPath = At("out"),
            Template = Template,
            Examples = [.. SupervisedExample.FromPairs(Pairs())],
        };

        TrainingResult result = await Trainer(Options(lora: false) with { EpochCount = 6 }).TrainSupervisedAsync(request, steps.Add, Token);

        Assert.True(steps[^1].Metrics["loss"] < 0.7 * steps[0].Metrics["loss"], $"{steps[0].Metrics["loss"]} to {steps[^1].Metrics["loss"]}");
        Assert.Equal(new PolicyCheckpoint(At("out")), result.Checkpoint);
        (LlamaConfig config, LlamaWeights weights) = LlamaFolder.Load(At("out"));
        Assert.Equal(Config.HiddenSize, config.HiddenSize);
        Assert.NotEqual(TestModels.Random(Config, seed: 1).Embedding.Values, weights.Embedding.Values);
    }

    [Fact]
    public async Task TrainPreferencesAsync_Lora_WritesAnAdapterThatTrainingGoesOnFrom()
    {
        TrainingResult first = await Trainer(Options(lora: true)).TrainPreferencesAsync(Request("first"), null, Token);
        List<TrainingProgress> steps = [];

        PreferenceTrainingRequest next = Request("second") with { Policy = first.Checkpoint, Reference = first.Checkpoint };
        TrainingResult second = await Trainer(Options(lora: true)).TrainPreferencesAsync(next, steps.Add, Token);

        Assert.Equal(new PolicyCheckpoint(At("model"), At("second")), second.Checkpoint);
        Assert.Equal(0, steps[0].Metrics["rewards/chosen"]);
        LlamaWeights model = LlamaFolder.Load(At("model")).Weights;
        Assert.NotEqual(
            PeftAdapter.Load(At("first"), model).Parameters().SelectMany(parameter => parameter.Values),
            PeftAdapter.Load(At("second"), model).Parameters().SelectMany(parameter => parameter.Values));
    }

    [Fact]
    public async Task TrainPreferencesAsync_AdapterOfAnotherShape_NamesBoth()
    {
        TrainingResult first = await Trainer(Options(lora: true)).TrainPreferencesAsync(Request("first"), null, Token);
        ManagedTrainerOptions other = Options(lora: true) with { Lora = new LoraOptions { Rank = 5 } };

        NotSupportedException exception = await Assert.ThrowsAsync<NotSupportedException>(
            () => Trainer(other).TrainPreferencesAsync(Request("second") with { Policy = first.Checkpoint }, null, Token));

        Assert.Contains("Rank = 5", exception.Message, StringComparison.Ordinal);
    }

    // All weights are trained from a model with an adapter: the update is merged, for policy and reference alike.
    [Fact]
    public async Task TrainPreferencesAsync_AllWeightsOfAnAdaptedPolicy_BeginsAtLnTwo()
    {
        TrainingResult adapted = await Trainer(Options(lora: true)).TrainPreferencesAsync(Request("adapter"), null, Token);
        List<TrainingProgress> steps = [];

        await Trainer(Options(lora: false) with { Loss = new DpoLoss() }).TrainPreferencesAsync(
            Request("out") with { Policy = adapted.Checkpoint, Reference = adapted.Checkpoint }, steps.Add, Token);

        Assert.Equal(Math.Log(2), steps[0].Metrics["loss"], 1e-15);
        Assert.True(Math.Abs(steps[0].Metrics["logps/chosen"]) > 0);
    }

    public static TheoryData<string> Changes => ["loss", "rate", "data", "seed", "policy", "reference"];

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task TrainPreferencesAsync_StateOfAnotherTraining_SaysWhatDiffers(string change)
    {
        await StopAfter(2, Options(lora: true));
        ManagedTrainerOptions options = Options(lora: true);
        PreferenceTrainingRequest request = Request("out") with { StatePath = At("state") };
        string[] before = [.. StateFiles.Select(file => Convert.ToHexString(File.ReadAllBytes(Path.Combine(StepFolder(), file))))];
        (options, request) = change switch
        {
            "loss" => (options with { Loss = new AriesLoss(new AriesLossOptions { RefinementBeta = 0.2 }) }, request),
            "rate" => (options with { LearningRate = new LearningRateOptions { Peak = 1e-5 } }, request),
            "data" => (options, request with { Pairs = Pairs()[1..] }),
            "seed" => (options, request with { Seed = 99 }),
            "policy" => (options, request with { Policy = new PolicyCheckpoint(At("other")) }),
            _ => (options, request with { Reference = new PolicyCheckpoint(At("other")) }),
        };

        TrainingStateException exception = await Assert.ThrowsAsync<TrainingStateException>(() => Trainer(options).TrainPreferencesAsync(request, null, Token));

        string named = change is "loss" or "rate" ? "trainer" : change;
        Assert.Contains(exception.Differences, difference => difference.Contains($"its {named} is", StringComparison.Ordinal));
        Assert.Equal(before, StateFiles.Select(file => Convert.ToHexString(File.ReadAllBytes(Path.Combine(StepFolder(), file)))));
    }

    [Theory]
    [InlineData("state.json", "{")]
    [InlineData("state.json", "{\"step\": 1}")]
    [InlineData("weights.safetensors", "short")]
    public async Task TrainPreferencesAsync_DamagedState_NamesTheFolder(string file, string content)
    {
        await StopAfter(2, Options(lora: true));
        File.WriteAllText(Path.Combine(StepFolder(), file), content);

        TrainingStateException exception = await Assert.ThrowsAsync<TrainingStateException>(
            () => Trainer(Options(lora: true)).TrainPreferencesAsync(Request("out") with { StatePath = At("state") }, null, Token));

        Assert.Equal(StepFolder(), exception.Path);
        Assert.Empty(exception.Differences);
    }

    // The reference is scored once and then read: a changed file changes the first reward; other data are scored anew.
    [Fact]
    public async Task TrainPreferencesAsync_ReferenceScoresKept_AreReadForTheSameDataOnly()
    {
        await StopAfter(1, Options(lora: true));
        Directory.Delete(StepFolder(), recursive: true);
        string path = Path.Combine(At("state"), "reference.json");
        JsonNode scores = JsonNode.Parse(File.ReadAllText(path))!;
        for (int i = 0; i < 6; i++)
        {
            scores["logps"]![i] = scores["logps"]![i]!.GetValue<double>() - 10;
        }

        File.WriteAllText(path, scores.ToJsonString());
        List<TrainingProgress> same = [];
        List<TrainingProgress> changed = [];
        ManagedTrainerOptions options = Options(lora: true) with { BatchSize = 100 };

        await Trainer(options).TrainPreferencesAsync(Request("out1") with { StatePath = At("state") }, same.Add, Token);
        await Trainer(options).TrainPreferencesAsync(Request("out2") with { StatePath = At("state"), Pairs = Pairs()[1..] }, changed.Add, Token);

        Assert.Equal(0.1 * 10 * 6 / Pairs().Length, same[0].Metrics["rewards/chosen"], 1e-9);
        Assert.Equal(0, changed[0].Metrics["rewards/chosen"]);
    }

    [Fact]
    public async Task TrainPreferencesAsync_LearningRateTooHigh_ThrowsAndWritesNothing()
    {
        ManagedTrainerOptions options = Options(lora: false) with
        {
            LearningRate = new LearningRateOptions { Peak = 1e30 },
            Optimizer = new AdamWOptions { MaxGradientNorm = double.PositiveInfinity },
        };

        TrainingDivergedException exception = await Assert.ThrowsAsync<TrainingDivergedException>(
            () => Trainer(options).TrainPreferencesAsync(Request("out"), null, Token));

        Assert.InRange(exception.Step, 1, 20);
        Assert.False(double.IsFinite(exception.Value));
        Assert.Equal(["model", "other"], Directory.GetFileSystemEntries(_folder).Select(Path.GetFileName).Order());
    }

    // Prompt "ab" + BOS is 3 tokens, a response of n letters + end token n + 1. At 6 tokens a response keeps 3 tokens, or the pair goes.
    [Theory]
    [InlineData(TruncationRule.KeepStart, 1)]
    [InlineData(TruncationRule.Drop, 2)]
    public async Task TrainPreferencesAsync_TooLong_CutsOrDropsByTheRule(TruncationRule rule, int dropped)
    {
        ManagedTrainerOptions options = Options(lora: false) with { Loss = new DpoLoss(), MaxLength = 6, Truncation = rule };
        PreferencePair[] pairs =
        [
            new() { Prompt = "ab", Chosen = "cd", Rejected = "ef" },
            new() { Prompt = "ab", Chosen = "cdefgh", Rejected = "ef" },
            new() { Prompt = "abcdefg", Chosen = "cd", Rejected = "ef" },
        ];

        TrainingResult result = await Trainer(options).TrainPreferencesAsync(Request("out") with { Pairs = pairs }, null, Token);

        Assert.Equal(dropped, result.DroppedRowCount);
    }

    [Fact]
    public async Task TrainPreferencesAsync_ResponsesEqualAfterTruncation_AreDropped()
    {
        PreferencePair[] pairs =
        [
            new() { Prompt = "ab", Chosen = "cdefgh", Rejected = "cdefgi" },
            new() { Prompt = "ab", Chosen = "cd", Rejected = "ef" },
        ];

        TrainingResult result = await Trainer(Options(lora: false) with { Loss = new DpoLoss(), MaxLength = 6 })
            .TrainPreferencesAsync(Request("out") with { Pairs = pairs }, null, Token);

        Assert.Equal(1, result.DroppedRowCount);
    }

    [Fact]
    public async Task TrainPreferencesAsync_NothingLeft_SaysWhy()
    {
        PreferencePair[] pairs = [new() { Prompt = "ab", Chosen = "cd", Rejected = "cd" }];

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(
            () => Trainer(Options(lora: false)).TrainPreferencesAsync(Request("out") with { Pairs = pairs }, null, Token));

        Assert.Contains("All 1 rows were dropped", exception.Message, StringComparison.Ordinal);
        Assert.False(Path.Exists(At("out")));
    }

    [Fact]
    public void TrainPreferencesAsync_BadRequest_ThrowsAtTheCall()
    {
        ManagedPolicyTrainer trainer = Trainer(Options(lora: false) with { Loss = new SimPoLoss() });

        Assert.Throws<ArgumentException>(() => { _ = trainer.TrainPreferencesAsync(Request("out") with { Pairs = [] }, null, Token); });
        Assert.Throws<ArgumentException>(() => { _ = trainer.TrainPreferencesAsync(Request("model"), null, Token); });
        PreferencePair soft = Pairs()[0] with { ChosenProbability = 0.8 };
        Assert.Throws<NotSupportedException>(() => { _ = trainer.TrainPreferencesAsync(Request("out") with { Pairs = [soft] }, null, Token); });
    }

    [Fact]
    public async Task TrainPreferencesAsync_MaxLengthBeyondContext_Throws()
    {
        NotSupportedException exception = await Assert.ThrowsAsync<NotSupportedException>(
            () => Trainer(Options(lora: false) with { MaxLength = 65 }).TrainPreferencesAsync(Request("out"), null, Token));

        Assert.Contains("65", exception.Message, StringComparison.Ordinal);
    }

    // The public constructor: stories260K with its own tokenizer, a token tree of real text, a checkpoint that the same reader reads.
    [Theory]
    [InlineData("stories260K-hf", "tokenizer.json")]
    [InlineData("stories260K/stories260K.bin", "tokenizer.bin")]
    public async Task TrainPreferencesAsync_RealModelAndTokenizer_LearnsThePairs(string model, string tokenizer)
    {
        PolicyCheckpoint stories = new(Aries.TestKit.TestData.Golden(model.Split('/')));
        ManagedTrainerOptions options = new() { LearningRate = new LearningRateOptions { Peak = 1e-4 }, BatchSize = 2, EpochCount = 3 };
        List<TrainingProgress> steps = [];

        TrainingResult result = await new ManagedPolicyTrainer(options).TrainPreferencesAsync(
            new PreferenceTrainingRequest
            {
                Policy = stories,
                Reference = stories,
                OutputPath = At("stories"),
                Template = new RefinementTemplate("{question} {response} Again:"),
                Pairs =
                [
                    new() { Prompt = "Once upon a time", Chosen = ", there was a cat.", Rejected = ", a dog ran." },
                    new() { Prompt = "Lily saw", Chosen = " a big tree.", Rejected = " nothing." },
                ],
            },
            steps.Add,
            Token);

        Assert.Equal((0.2 * Math.Log(2)) + (0.8 * 0.5), steps[0].Metrics["loss"], 1e-12);
        Assert.True(steps[^1].Metrics["rewards/margins"] > 0.01);
        Assert.True(steps[^1].Metrics["refinement/margins"] > 0.01);
        Assert.Equal(0, result.DroppedRowCount);
        Assert.True(File.Exists(Path.Combine(result.Checkpoint.ModelPath, tokenizer)));
        Assert.Equal(512, LoadedModel.Load(result.Checkpoint.ModelPath).Tokenizer.VocabularySize);
        Assert.NotEqual(TestModels.Stories().Embedding.Values, LlamaFolder.Load(result.Checkpoint.ModelPath).Weights.Embedding.Values);
        Assert.Equal(3, steps.Count);
    }

    // The reference is scored from its own files, never from the weights that a resumed training restored: without the kept scores the bits are the same.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task TrainPreferencesAsync_ResumedWithoutTheKeptReferenceScores_GivesTheSameBits(bool lora)
    {
        await Trainer(Options(lora)).TrainPreferencesAsync(Request("unbroken"), null, Token);
        await StopAfter(4, Options(lora));
        File.Delete(Path.Combine(At("state"), "reference.json"));

        await Trainer(Options(lora)).TrainPreferencesAsync(Request("broken") with { StatePath = At("state") }, null, Token);

        string weights = lora ? "adapter_model.safetensors" : "model.safetensors";
        Assert.Equal(File.ReadAllBytes(Path.Combine(At("unbroken"), weights)), File.ReadAllBytes(Path.Combine(At("broken"), weights)));
    }

    // Scores that were kept of one reference are not taken for those of another.
    [Fact]
    public async Task TrainPreferencesAsync_ReferenceScoresOfAnotherModel_AreNotRead()
    {
        await StopAfter(1, Options(lora: true));
        Directory.Delete(StepFolder(), recursive: true);
        List<TrainingProgress> kept = [];
        List<TrainingProgress> fresh = [];

        await Trainer(Options(lora: true)).TrainPreferencesAsync(Request("out1", reference: "other") with { StatePath = At("state") }, kept.Add, Token);
        await Trainer(Options(lora: true)).TrainPreferencesAsync(Request("out2", reference: "other"), fresh.Add, Token);

        Assert.NotEqual(0, kept[0].Metrics["rewards/chosen"]);
        Assert.Equal(fresh[0].Metrics["rewards/chosen"], kept[0].Metrics["rewards/chosen"]);
    }

    // Four equal pairs in batches of three: the last step has one pair, whose gradient counts as much as that of the three, for each step is the mean over its own pairs.
    [Fact]
    public async Task TrainPreferencesAsync_ShortLastBatch_CountsItsOwnPairs()
    {
        List<TrainingProgress> steps = [];
        ManagedTrainerOptions options = Options(lora: false) with { EpochCount = 1, LearningRate = new LearningRateOptions { Peak = 1e-30 } };

        await Trainer(options).TrainPreferencesAsync(Request("out") with { Pairs = [.. Enumerable.Repeat(Pairs()[0], 4)] }, steps.Add, Token);

        Assert.Equal(2, steps.Count);
        Assert.Equal(steps[0].Metrics["grad_norm"], steps[1].Metrics["grad_norm"], 1e-5 * steps[0].Metrics["grad_norm"]);
        Assert.Equal(steps[0].Metrics["loss"], steps[1].Metrics["loss"], 1e-9);
    }

    // A file stands where a folder is needed: said before the first step, not after the last.
    [Fact]
    public async Task TrainPreferencesAsync_OutputThatCannotBeMade_ThrowsBeforeTheFirstStep()
    {
        File.WriteAllText(At("file"), "");
        List<TrainingProgress> steps = [];

        TrainingOutputException exception = await Assert.ThrowsAsync<TrainingOutputException>(
            () => Trainer(Options(lora: true)).TrainPreferencesAsync(Request(Path.Combine("file", "out")), steps.Add, Token));

        Assert.Equal(At(Path.Combine("file", "out")), exception.Path);
        Assert.Empty(steps);
    }

    // What goes wrong while training, and not before: the folder above the output is gone when it is to be written.
    [Fact]
    public async Task TrainPreferencesAsync_OutputThatCannotBeWrittenAtTheEnd_KeepsTheState()
    {
        Directory.CreateDirectory(At("above"));
        void Block(TrainingProgress progress)
        {
            if (progress.Step == progress.StepCount)
            {
                Directory.Delete(At("above"));
                File.WriteAllText(At("above"), "");
            }
        }

        await Assert.ThrowsAsync<TrainingOutputException>(() => Trainer(Options(lora: true) with { StateInterval = 5 })
            .TrainPreferencesAsync(Request(Path.Combine("above", "out")) with { StatePath = At("state") }, Block, Token));

        Assert.EndsWith("step-000000010", StepFolder(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TrainPreferencesAsync_StateThatCannotBeWritten_NamesIt()
    {
        File.WriteAllText(At("state"), "");

        TrainingStateException exception = await Assert.ThrowsAsync<TrainingStateException>(
            () => Trainer(Options(lora: true)).TrainPreferencesAsync(Request("out") with { StatePath = At("state") }, null, Token));

        Assert.StartsWith(At("state"), exception.Path, StringComparison.Ordinal);
        Assert.False(Path.Exists(At("out")));
    }

    // A tokenizer with more ids than the model has would train rows of another model's text.
    [Fact]
    public async Task TrainPreferencesAsync_TokenizerOfAnotherModel_ThrowsBeforeTheFirstStep()
    {
        using TempFolder folder = new();
        string model = folder.CopyOf(Aries.TestKit.TestData.Golden("stories260K-hf"));
        LlamaFolderTests.Edit(model, "tokenizer.json", json => json["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 600, ["content"] = "<new>" }));

        ModelFormatException exception = await Assert.ThrowsAsync<ModelFormatException>(() => new ManagedPolicyTrainer().TrainPreferencesAsync(
            Request("out") with { Policy = new PolicyCheckpoint(model), Reference = new PolicyCheckpoint(model) }, null, Token));

        Assert.Contains("600", exception.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Describe_AnyOptionThatChangesResults_Changes()
    {
        ManagedTrainerOptions start = Options(lora: true);
        ManagedTrainerOptions[] changed =
        [
            start with { Loss = new DpoLoss() },
            start with { Loss = new AriesLoss(new AriesLossOptions { Alpha = 0.7 }) },
            start with { Loss = new AriesLoss(new AriesLossOptions { DpoBeta = 0.11 }) },
            start with { Loss = new AriesLoss(new AriesLossOptions { TwoSided = false }) },
            start with { SupervisedNormalization = LossNormalization.Sum },
            start with { Lora = null },
            start with { Lora = new LoraOptions { Rank = 2 } },
            start with { LearningRate = new LearningRateOptions { Peak = 1e-4 } },
            start with { LearningRate = start.LearningRate with { WarmUpFraction = 0.5 } },
            start with { LearningRate = start.LearningRate with { WarmUpStart = WarmUpStart.Zero } },
            start with { LearningRate = start.LearningRate with { Decay = LearningRateDecay.Linear } },
            start with { Optimizer = new AdamWOptions { Beta1 = 0.8 } },
            start with { Optimizer = new AdamWOptions { Beta2 = 0.8 } },
            start with { Optimizer = new AdamWOptions { Epsilon = 1e-7 } },
            start with { Optimizer = new AdamWOptions { WeightDecay = 0.1 } },
            start with { Optimizer = new AdamWOptions { MaxGradientNorm = 2 } },
            start with { EpochCount = 9 },
            start with { BatchSize = 9 },
            start with { MicroBatchTokens = 9 },
            start with { MaxLength = 9 },
            start with { Truncation = TruncationRule.Drop },
            start with { ChatTemplate = ChatTemplate.Plain },
            start with { ChatTemplate = ChatTemplate.Plain with { UserEnd = "\n" } },
        ];

        string[] texts = [Trainer(start).Describe(), .. changed.Select(options => Trainer(options).Describe())];

        Assert.Equal(texts.Length, texts.Distinct().Count());
        Assert.Equal(texts[0], Trainer(start with { StateInterval = 7, RecomputeActivations = true }).Describe());
    }

    [Fact]
    public void Constructor_OptionsChangedLater_AreNotSeen()
    {
        ManagedTrainerOptions options = Options(lora: true);
        ManagedPolicyTrainer trainer = Trainer(options);
        string before = trainer.Describe();

        options.LearningRate.Peak = 1;
        options.Optimizer.Beta1 = 0.5;
        options.Lora!.Rank = 3;
        options.BatchSize = 1;

        Assert.Equal(before, trainer.Describe());
    }

    [Fact]
    public void Validate_ValuesOutOfRange_Throws()
    {
        ManagedTrainerOptions[] bad =
        [
            new() { EpochCount = 0 }, new() { BatchSize = 0 }, new() { MicroBatchTokens = 0 }, new() { MaxLength = 1 }, new() { StateInterval = 0 },
            new() { Truncation = (TruncationRule)5 }, new() { SupervisedNormalization = (LossNormalization)5 }, new() { Lora = new LoraOptions { Rank = 0 } },
            new() { LearningRate = new LearningRateOptions { Peak = -1 } }, new() { Optimizer = new AdamWOptions { Beta1 = 2 } },
        ];

        Assert.All(bad, options => Assert.Throws<ArgumentOutOfRangeException>(options.Validate));
    }

    private static ManagedTrainerOptions Options(bool lora) => new()
    {
        Lora = lora ? new LoraOptions { Rank = 4, Alpha = 8 } : null,
        LearningRate = new LearningRateOptions { Peak = lora ? 1e-2 : 3e-3 },
        BatchSize = 3,
        EpochCount = 4,
    };

    private static PreferencePair[] Pairs() =>
    [
        .. Enumerable.Range(0, 7).Select(i => new PreferencePair
        {
            Prompt = $"p{(char)('a' + i)}",
            Chosen = $"{(char)('b' + i)}yes",
            Rejected = $"{(char)('b' + (2 * i))}no{i}",
        }),
    ];

    private string At(string name) => Path.Combine(_folder, name);

    private string StepFolder() => Assert.Single(Directory.GetDirectories(At("state"), "step-*"));

    private ManagedPolicyTrainer Trainer(ManagedTrainerOptions options) => new(options, (_, _) => new LetterEncoder(), _pool);

    private PreferenceTrainingRequest Request(string output, string reference = "model") => new()
    {
        Policy = new PolicyCheckpoint(At("model")),
        Reference = new PolicyCheckpoint(At(reference)),
        OutputPath = At(output),
        Template = Template,
        Pairs = Pairs(),
        Seed = 5,
    };

    private async Task StopAfter(int steps, ManagedTrainerOptions options)
    {
        using CancellationTokenSource source = CancellationTokenSource.CreateLinkedTokenSource(Token);
        void Count(TrainingProgress progress)
        {
            if (progress.Step == steps)
            {
                source.Cancel();
            }
        }

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => Trainer(options).TrainPreferencesAsync(Request("stopped") with { StatePath = At("state") }, Count, source.Token));
    }

    /// <summary>A token a letter, 1 at the beginning, 2 at the end.</summary>
    private sealed class LetterEncoder : ISequenceEncoder
    {
        public long MovedBoundaryCount => 0;

        public TrainingSequence Encode(Prompt prompt, string response)
        {
            int[] start = [1, .. prompt.SelectMany(turn => turn.Text).Select(Id)];
            return new TrainingSequence([.. start, .. response.Select(Id), 2], start.Length);
        }

        private static int Id(char letter) => 3 + (letter % 37);
    }
}
