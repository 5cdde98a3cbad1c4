using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Aries.Managed;
using Aries.Preferences;
using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

/// <summary>Trains by a command of the tests' own: this program in another process, which reads the rows and trains them by the managed engine.</summary>
public sealed class ExternalPolicyTrainerTests : IDisposable
{
    private const int PairCount = 8;

    // Three rows a pair, two rows a step.
    private const int StepCount = PairCount * 3 / 2;

    private readonly string _root = Directory.CreateTempSubdirectory("aries-external-").FullName;
    private readonly List<string> _lines = [];
    private readonly PolicyCheckpoint _base;

    public ExternalPolicyTrainerTests()
    {
        LlamaLoop.Prepare(Folder("run"));
        _base = new PolicyCheckpoint(LlamaLoop.BasePath(Folder("run")));
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task TrainPreferencesAsync_KilledMidwayAndAskedAgain_EndsWithTheCheckpointOfAnUnbrokenTraining()
    {
        TrainingResult unbroken = await Trainer(TrainingCommand.Train).TrainPreferencesAsync(Request("unbroken"), cancellationToken: TestContext.Current.CancellationToken);
        _lines.Clear();
        List<TrainingProgress> first = [];
        List<TrainingProgress> second = [];

        ExternalTrainingException killed = await Assert.ThrowsAsync<ExternalTrainingException>(() => Trainer(TrainingCommand.Train, KillAtStep(4)).TrainPreferencesAsync(
            Request("killed"), first.Add, TestContext.Current.CancellationToken));
        bool hasOutputAfterKill = Path.Exists(Folder("killed"));
        string[] linesBefore = [.. _lines];
        _lines.Clear();
        TrainingResult resumed = await Trainer(TrainingCommand.Train).TrainPreferencesAsync(Request("killed"), second.Add, TestContext.Current.CancellationToken);

        Assert.NotEqual(0, killed.ExitCode);
        Assert.False(hasOutputAfterKill);
        Assert.Contains("starts", linesBefore);
        Assert.Contains($"rows {PairCount * 3}", linesBefore);
        Assert.Contains("goes on", _lines);
        Assert.Equal(Enumerable.Range(1, 4), first.Select(progress => progress.Step).Take(4));
        Assert.InRange(second[0].Step, 4, StepCount);
        Assert.All(second, progress => Assert.Equal(StepCount, progress.StepCount));
        Assert.Equal(StepCount, resumed.StepCount);
        Assert.Equal(Snapshot(unbroken.Checkpoint.ModelPath), Snapshot(resumed.Checkpoint.ModelPath));
        Assert.False(Path.Exists(Folder("killed.state")));
    }

    [Fact]
    public async Task TrainPreferencesAsync_Rows_TrainAsTheSamePairsDoInProcess()
    {
        PreferenceTrainingRequest request = Request("external");
        ManagedPolicyTrainer inProcess = new(new ManagedTrainerOptions { Loss = new DpoLoss(), BatchSize = 2, LearningRate = new LearningRateOptions { Peak = 1e-3 } });

        TrainingResult external = await Trainer(TrainingCommand.Train).TrainPreferencesAsync(request, cancellationToken: TestContext.Current.CancellationToken);
        TrainingResult expected = await inProcess.TrainPreferencesAsync(
            request with { OutputPath = Folder("in-process"), StatePath = null, Pairs = [.. request.Pairs.ToRows(request.Template)] }, cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal(Snapshot(expected.Checkpoint.ModelPath), Snapshot(external.Checkpoint.ModelPath));
        Assert.Equal(expected.Metrics["loss"], external.Metrics["loss"], 1e-9);
        Assert.Equal(Folder("external"), external.Checkpoint.ModelPath);
    }

    [Fact]
    public async Task TrainSupervisedAsync_Examples_TrainAsTheyDoInProcess()
    {
        SupervisedTrainingRequest request = new()
        {
            Policy = _base,
            Examples = [.. SupervisedExample.FromPairs(Pairs)],
            Template = new RefinementTemplate("{question} Draft: {response} Better:"),
            OutputPath = Folder("external"),
            Seed = 7,
        };
        ManagedPolicyTrainer inProcess = new(new ManagedTrainerOptions { BatchSize = 2, LearningRate = new LearningRateOptions { Peak = 1e-3 } });

        TrainingResult external = await Trainer(TrainingCommand.Train).TrainSupervisedAsync(request, cancellationToken: TestContext.Current.CancellationToken);
        TrainingResult expected = await inProcess.TrainSupervisedAsync(request with { OutputPath = Folder("in-process") }, cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal(Snapshot(expected.Checkpoint.ModelPath), Snapshot(external.Checkpoint.ModelPath));
        Assert.False(Path.Exists(Folder("external.external")));
    }

    [Fact]
    public async Task TrainPreferencesAsync_CommandFails_ThrowsWithItsExitCodeAndLastLines()
    {
        ExternalTrainingException failure = await Assert.ThrowsAsync<ExternalTrainingException>(
            () => Trainer(TrainingCommand.Fail).TrainPreferencesAsync(Request("failed"), cancellationToken: TestContext.Current.CancellationToken));

        Assert.Equal(3, failure.ExitCode);
        Assert.Equal("out of memory", failure.LastLines[^1]);
        Assert.Contains("out of memory", await File.ReadAllTextAsync(failure.LogPath!, TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TrainPreferencesAsync_Cancelled_KillsTheCommandWithAllThatItStarted()
    {
        using CancellationTokenSource source = new();
        List<int> processes = [];
        ExternalPolicyTrainer trainer = Trainer(TrainingCommand.HangWithChild, line =>
        {
            processes.Add(int.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture));
            if (processes.Count == 2)
            {
                source.Cancel();
            }
        });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => trainer.TrainPreferencesAsync(Request("cancelled"), cancellationToken: source.Token));

        Assert.Equal(2, processes.Count);
        Assert.All(processes, id => Assert.True(HasEnded(id)));
        Assert.False(Path.Exists(Folder("cancelled")));
    }

    [Theory]
    [InlineData(TrainingCommand.TearWeights, "cannot be read")]
    [InlineData(TrainingCommand.ForgetTokenizer, "no tokenizer")]
    public async Task TrainPreferencesAsync_CheckpointIsNotWhole_ThrowsAndHandsNothingOver(string behaviour, string message)
    {
        ExternalTrainingException failure = await Assert.ThrowsAsync<ExternalTrainingException>(
            () => Trainer(behaviour).TrainPreferencesAsync(Request("torn"), cancellationToken: TestContext.Current.CancellationToken));

        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
        Assert.False(Path.Exists(Folder("torn")));
    }

    [Fact]
    public async Task TrainPreferencesAsync_CommandHadEndedWell_IsNotStartedAgain()
    {
        PreferenceTrainingRequest request = Request("finished");
        await File.WriteAllTextAsync(Folder("a-file"), "", TestContext.Current.CancellationToken);
        await Assert.ThrowsAsync<RunFolderException>(() => Trainer(TrainingCommand.Train).TrainPreferencesAsync(
            request with { OutputPath = Path.Combine(Folder("a-file"), "output") }, cancellationToken: TestContext.Current.CancellationToken));
        _lines.Clear();

        TrainingResult result = await Trainer(TrainingCommand.Train).TrainPreferencesAsync(request, cancellationToken: TestContext.Current.CancellationToken);

        Assert.Empty(_lines);
        Assert.Equal(StepCount, result.StepCount);
        Assert.True(File.Exists(Path.Combine(result.Checkpoint.ModelPath, "model.safetensors")));
    }

    [Fact]
    public async Task TrainPreferencesAsync_CommandOfADeadProcessStillRuns_IsKilledFirst()
    {
        ExternalCommand hang = TrainingCommand.Create(TrainingCommand.Hang);
        ProcessStartInfo start = new(hang.FileName, hang.Arguments) { RedirectStandardOutput = true };
        foreach ((string name, string value) in hang.Environment)
        {
            start.Environment[name] = value;
        }

        using Process leftover = Process.Start(start)!;
        Directory.CreateDirectory(Folder("left.state"));
        await File.WriteAllTextAsync(Folder("left.state.lock"), "", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(
            Path.Combine(Folder("left.state"), "process"), $"{leftover.Id} {leftover.StartTime.ToUniversalTime().Ticks}", TestContext.Current.CancellationToken);

        TrainingResult result = await Trainer(TrainingCommand.Train).TrainPreferencesAsync(Request("left"), cancellationToken: TestContext.Current.CancellationToken);

        Assert.True(leftover.HasExited);
        Assert.False(Path.Exists(Folder("left.state.lock")));
        Assert.Equal(StepCount, result.StepCount);
    }

    [Fact]
    public async Task TrainPreferencesAsync_AnotherTrainingWorksInTheStateFolder_IsRefusedAndTheOtherGoesOn()
    {
        using CancellationTokenSource source = new();
        TaskCompletionSource<int> started = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<TrainingResult> first = Trainer(TrainingCommand.Hang, line => started.TrySetResult(int.Parse(line.AsSpan(4), CultureInfo.InvariantCulture)))
            .TrainPreferencesAsync(Request("shared"), cancellationToken: source.Token);
        int process = await started.Task.WaitAsync(TestContext.Current.CancellationToken);

        ExternalTrainingException refusal = await Assert.ThrowsAsync<ExternalTrainingException>(
            () => Trainer(TrainingCommand.Train).TrainPreferencesAsync(Request("shared"), cancellationToken: TestContext.Current.CancellationToken));
        bool goesOn = !first.IsCompleted && !Process.GetProcessById(process).HasExited;
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        TrainingResult next = await Trainer(TrainingCommand.Train).TrainPreferencesAsync(Request("shared"), cancellationToken: TestContext.Current.CancellationToken);

        Assert.Contains($"process {process}.", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(Folder("shared.state"), refusal.Message, StringComparison.Ordinal);
        Assert.True(goesOn);
        Assert.Equal(StepCount, next.StepCount);
    }

    [Fact]
    public async Task TrainPreferencesAsync_StateOfAnotherRequest_IsRefused()
    {
        await Assert.ThrowsAsync<ExternalTrainingException>(() => Trainer(TrainingCommand.Fail).TrainPreferencesAsync(Request("other"), cancellationToken: TestContext.Current.CancellationToken));

        ExternalTrainingException refusal = await Assert.ThrowsAsync<ExternalTrainingException>(
            () => Trainer(TrainingCommand.Fail).TrainPreferencesAsync(Request("other") with { Seed = 8 }, cancellationToken: TestContext.Current.CancellationToken));

        Assert.Contains("another request", refusal.Message, StringComparison.Ordinal);
        Assert.Null(refusal.ExitCode);
    }

    [Fact]
    public async Task TrainPreferencesAsync_WhatTheCommandCannotBeTold_IsRefused()
    {
        ExternalPolicyTrainer trainer = Trainer(TrainingCommand.Train);
        ExternalPolicyTrainer withoutReference = new(Options(TrainingCommand.Train) with { Settings = Settings(withReference: false) }, new ManagedPolicyModelLoader());
        PreferenceTrainingRequest request = Request("refused");

        NotSupportedException softLabel = await Assert.ThrowsAsync<NotSupportedException>(() => trainer.TrainPreferencesAsync(
            request with { Pairs = [request.Pairs[0] with { ChosenProbability = 0.9 }] }, cancellationToken: TestContext.Current.CancellationToken));
        NotSupportedException reference = await Assert.ThrowsAsync<NotSupportedException>(() => withoutReference.TrainPreferencesAsync(
            request with { Reference = new PolicyCheckpoint(Folder("elsewhere")) }, cancellationToken: TestContext.Current.CancellationToken));
        NotSupportedException adapter = await Assert.ThrowsAsync<NotSupportedException>(() => trainer.TrainPreferencesAsync(
            request with { Policy = new PolicyCheckpoint(_base.ModelPath, Folder("adapter")) }, cancellationToken: TestContext.Current.CancellationToken));

        Assert.Contains("HonorsSoftLabels", softLabel.Message, StringComparison.Ordinal);
        Assert.Contains("{reference}", reference.Message, StringComparison.Ordinal);
        Assert.Contains("{adapter}", adapter.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TrainPreferencesAsync_NoSuchProgram_ThrowsWithItsName()
    {
        ExternalCommand command = TrainingCommand.Create(TrainingCommand.Train) with { FileName = "aries-no-such-program" };
        ExternalPolicyTrainer trainer = new(new ExternalTrainerOptions { PreferenceCommand = command, Settings = Settings() }, new ManagedPolicyModelLoader());

        ExternalTrainingException failure = await Assert.ThrowsAsync<ExternalTrainingException>(
            () => trainer.TrainPreferencesAsync(Request("nothing"), cancellationToken: TestContext.Current.CancellationToken));

        Assert.Contains("aries-no-such-program", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Constructor_CommandThatIsNotToldWhatItNeeds_Throws()
    {
        ExternalCommand deaf = new() { FileName = "train", Arguments = ["--model", "{model}", "--data", "{data-folder}", "--seed", "{seed}"] };
        ExternalCommand whole = deaf with { Arguments = [.. deaf.Arguments, "--out={output}"] };
        ManagedPolicyModelLoader loader = new();

        ArgumentException output = Assert.Throws<ArgumentException>(() => new ExternalPolicyTrainer(new ExternalTrainerOptions { PreferenceCommand = deaf }, loader));
        ArgumentException settings = Assert.Throws<ArgumentException>(() => new ExternalPolicyTrainer(new ExternalTrainerOptions { PreferenceCommand = whole, Settings = new JsonObject { ["beta"] = 0.1 } }, loader));
        ExternalPolicyTrainer trainer = new(new ExternalTrainerOptions { PreferenceCommand = whole }, loader);

        Assert.Contains("{output}", output.Message, StringComparison.Ordinal);
        Assert.Contains("{settings}", settings.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new ExternalPolicyTrainer(new ExternalTrainerOptions(), loader));
        Assert.Contains("--out={output}", trainer.Describe(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AriesLoop_WithACommandAsItsTrainer_TrainsARoundAndGeneratesWithItsCheckpoint()
    {
        AriesLoop loop = new(
            new AriesLoopParts
            {
                Loader = new ManagedPolicyModelLoader(),
                Trainer = Trainer(TrainingCommand.Train),
                Strategy = new AriesRefinement(turnCount: 2, new RefinementTemplate("{question} Draft: {response} Better:")),
                Selector = new RewardModelSelection(),
                Scorer = new ToyScorer("letters", request => request.Response.Sum(unit => unit) % 101),
            },
            new AriesLoopOptions { RoundCount = 1, PromptsPerRound = 6, Sampling = new SamplingOptions { MaxTokens = 8 }, Seed = 3 },
            new StoppedTimeProvider());
        AriesLoopData data = new() { Prompts = [.. Enumerable.Range(1, 6).Select(i => new Prompt($"Tell story {i}."))], EvaluationPrompts = ["Tell a tale."] };

        AriesRunResult run = await loop.RunAsync(_base, data, Folder("loop"), TestContext.Current.CancellationToken);

        Assert.True(run.Rounds[^1].Training!.StepCount > 0);
        Assert.True(run.Rounds[^1].Training!.Metrics.ContainsKey("loss"));
        Assert.NotEqual(Snapshot(_base.ModelPath)["model.safetensors"], Snapshot(run.LastCheckpoint.ModelPath)["model.safetensors"]);
        Assert.NotNull(run.Rounds[^1].Evaluation);
    }

    private static PreferencePair[] Pairs =>
        [.. Enumerable.Range(1, PairCount).Select(i => new PreferencePair { Prompt = $"Tell fable {i}.", Chosen = "Once upon a time.", Rejected = $"No {i}." })];

    private string Folder(string name) => Path.Combine(_root, name);

    private PreferenceTrainingRequest Request(string name) => new()
    {
        Policy = _base,
        Reference = _base,
        Pairs = Pairs,
        Template = new RefinementTemplate("{question} Draft: {response} Better:"),
        OutputPath = Folder(name),
        StatePath = Folder(name + ".state"),
        Seed = 7,
    };

    private ExternalPolicyTrainer Trainer(string behaviour, Action<string>? onLine = null) => new(Options(behaviour, onLine), new ManagedPolicyModelLoader());

    private ExternalTrainerOptions Options(string behaviour, Action<string>? onLine = null) => new()
    {
        PreferenceCommand = TrainingCommand.Create(behaviour),
        SupervisedCommand = TrainingCommand.Create(behaviour),
        Form = PreferenceJsonlForm.Plain,
        Settings = Settings(),
        LogLine = line =>
        {
            _lines.Add(line);
            onLine?.Invoke(line);
        },
    };

    private static JsonObject Settings(bool withReference = true)
    {
        JsonObject settings = new()
        {
            ["model"] = "{model}",
            ["data"] = "{data}",
            ["output"] = "{output}",
            ["work"] = "{work}",
            ["seed"] = "{seed}",
            ["learning_rate"] = 1e-3,
        };
        if (withReference)
        {
            settings["reference"] = "{reference}";
        }

        return settings;
    }

    private static Action<string> KillAtStep(int step)
    {
        int id = 0;
        return line =>
        {
            if (line.StartsWith("pid ", StringComparison.Ordinal))
            {
                id = int.Parse(line.AsSpan(4), CultureInfo.InvariantCulture);
            }
            else if (line.StartsWith($"{{\"step\": {step},", StringComparison.Ordinal))
            {
                using Process process = Process.GetProcessById(id);
                process.Kill();
            }
        };
    }

    private static bool HasEnded(int processId)
    {
        try
        {
            using Process process = Process.GetProcessById(processId);
            return process.WaitForExit(TimeSpan.FromSeconds(30));
        }
        catch (ArgumentException)
        {
            return true;
        }
    }

    private static SortedDictionary<string, string> Snapshot(string folder) => new(
        Directory.EnumerateFiles(folder).ToDictionary(path => Path.GetFileName(path), path => Convert.ToHexString(File.ReadAllBytes(path))), StringComparer.Ordinal);
}
