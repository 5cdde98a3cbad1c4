using Aries.TestKit;

namespace Aries.Core.Tests;

public sealed class AriesLoopResumeTests : IDisposable
{
    private readonly LoopFixture _loop = new();

    public void Dispose() => _loop.Dispose();

    [Fact]
    public async Task RunAsync_StoppedAtAnyFileOperation_EndsWithTheFilesOfAnUnbrokenRun()
    {
        FaultyFiles counting = new(failAt: 0);
        await _loop.RunAsync("unbroken", counting);
        SortedDictionary<string, string> expected = _loop.Snapshot("unbroken");
        Assert.True(counting.OperationCount > 100, $"{counting.OperationCount} operations");

        for (int failAt = 1; failAt <= counting.OperationCount; failAt++)
        {
            string name = $"stopped-{failAt}";
            await Assert.ThrowsAsync<SimulatedCrashException>(() => _loop.RunAsync(name, new FaultyFiles(failAt)));

            await _loop.RunAsync(name);

            Assert.Equal(expected, _loop.Snapshot(name));
            Directory.Delete(_loop.Folder(name), recursive: true);
        }
    }

    [Fact]
    public async Task RunAsync_StoppedAgainAndAgain_EndsWithTheFilesOfAnUnbrokenRun()
    {
        await _loop.RunAsync("unbroken");

        // Stops at the 60th operation of each process, which is more than a resumed process needs before its first new one.
        int stops = 0;
        while (true)
        {
            try
            {
                await _loop.RunAsync("stopped", new FaultyFiles(failAt: 60));
                break;
            }
            catch (SimulatedCrashException)
            {
                stops++;
                Assert.True(stops < 100, "The run makes no headway.");
            }
        }

        Assert.True(stops > 2, $"{stops} stops");
        Assert.Equal(_loop.Snapshot("unbroken"), _loop.Snapshot("stopped"));
    }

    [Fact]
    public async Task RunAsync_StoppedAtAnyObserverCall_EndsWithTheFilesOfAnUnbrokenRun()
    {
        await _loop.RunAsync("unbroken");
        SortedDictionary<string, string> expected = _loop.Snapshot("unbroken");
        int eventCount = _loop.Observer.Events.Count;

        for (int failAt = 1; failAt <= eventCount; failAt++)
        {
            string name = $"stopped-{failAt}";
            int count = 0;
            await Assert.ThrowsAsync<SimulatedCrashException>(() => _loop.RunAsync(name, prepare: () => _loop.Observer.OnEvent = text =>
            {
                if (++count == failAt)
                {
                    throw new SimulatedCrashException(text);
                }
            }));

            await _loop.RunAsync(name);

            Assert.Equal(expected, _loop.Snapshot(name));
            Directory.Delete(_loop.Folder(name), recursive: true);
        }
    }

    [Fact]
    public async Task RunAsync_CancelledWhileCollecting_GoesOnWithTheChainsThatAreThere()
    {
        await _loop.RunAsync("unbroken");
        using CancellationTokenSource source = new();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _loop.RunAsync(cancellation: source, prepare: () => _loop.Observer.OnEvent = text =>
        {
            if (text == "1 chain r01-000002")
            {
                source.Cancel();
            }
        }));

        await _loop.RunAsync();

        Assert.Contains("1 Collection 5 items 2 done", _loop.Observer.Events);
        Assert.DoesNotContain("1 chain r01-000002", _loop.Observer.Events);
        Assert.Equal(_loop.Snapshot("unbroken"), _loop.Snapshot());
    }

    [Fact]
    public async Task RunAsync_CancelledWhileTraining_GoesOnFromTheTrainersState()
    {
        _loop.Options = _loop.Options with { PromptsPerRound = 10, RoundCount = 1 };
        await _loop.RunAsync("unbroken");
        int stepCount = _loop.Observer.Events.Count(text => text.StartsWith("1 Training step", StringComparison.Ordinal));
        using CancellationTokenSource source = new();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _loop.RunAsync(cancellation: source, prepare: () => _loop.Observer.OnEvent = text =>
        {
            if (text == "1 Training step 3")
            {
                source.Cancel();
            }
        }));
        Assert.True(File.Exists(Path.Combine(_loop.Folder(), "round-01", "training-state", "state.txt")));

        await _loop.RunAsync();

        // The state is of step 2: step 3 is done again, and its line in the metrics is replaced.
        Assert.Equal("1 Training step 3", _loop.Observer.Events.First(text => text.StartsWith("1 Training step", StringComparison.Ordinal)));
        Assert.Equal(stepCount - 2, _loop.Trainer.StepCount);
        Assert.Equal(_loop.Snapshot("unbroken"), _loop.Snapshot());
        Assert.False(Directory.Exists(Path.Combine(_loop.Folder(), "round-01", "training-state")));
    }

    [Theory]
    [InlineData("round-01/checkpoint.tmp-7-1")]
    [InlineData("round-00/warm-up-checkpoint.partial")]
    public async Task RunAsync_OutputLeftAsideByAKilledTrainer_IsRemoved(string aside)
    {
        await _loop.RunAsync("unbroken");
        await StopInCollectionAsync();
        Directory.CreateDirectory(Path.Combine(_loop.Folder(), aside));
        File.WriteAllText(Path.Combine(_loop.Folder(), aside, "weights.txt"), "4");

        await _loop.RunAsync();

        Assert.Equal(_loop.Snapshot("unbroken"), _loop.Snapshot());
    }

    [Fact]
    public async Task RunAsync_EngineThatDependsOnTheBatch_IsGivenTheSameBatches()
    {
        int batchSize = 0;
        void DependOnBatch()
        {
            _loop.Loader.OnBatch = requests => batchSize = requests.Count;
            _loop.Loader.Rewrite = (request, response) => response with { Text = $"{response.Text} {batchSize}" };
        }

        await _loop.RunAsync("unbroken", prepare: DependOnBatch);
        await Assert.ThrowsAsync<SimulatedCrashException>(() => _loop.RunAsync(prepare: () =>
        {
            DependOnBatch();
            _loop.Observer.OnEvent = text => _ = text == "1 chain r01-000003" ? throw new SimulatedCrashException(text) : 0;
        }));

        await _loop.RunAsync(prepare: DependOnBatch);

        Assert.Equal(_loop.Snapshot("unbroken"), _loop.Snapshot());
    }

    [Theory]
    [InlineData("round-01/traces.jsonl", "1 chain r01-000003")]
    [InlineData("round-01/evaluation-greedy.jsonl", "1 GreedyEvaluation completed")]
    [InlineData("round-00/evaluation.jsonl", "0 chain e-000002")]
    [InlineData("metrics.jsonl", "2 Training step 1")]
    public async Task RunAsync_TornLastLine_IsDropped(string file, string stoppedAt)
    {
        await _loop.RunAsync("unbroken");
        await Assert.ThrowsAsync<SimulatedCrashException>(() => _loop.RunAsync(
            prepare: () => _loop.Observer.OnEvent = text => _ = text == stoppedAt ? throw new SimulatedCrashException(text) : 0));
        string path = Path.Combine(_loop.Folder(), file);
        File.AppendAllText(path, "{\"id\":\"r01-0000");

        await _loop.RunAsync();

        Assert.Equal(_loop.Snapshot("unbroken"), _loop.Snapshot());
    }

    [Fact]
    public async Task RunAsync_LineThatIsNoChain_NamesFileAndLine()
    {
        await StopInCollectionAsync();
        string path = Path.Combine(_loop.Folder(), "round-01", "traces.jsonl");
        string[] lines = File.ReadAllLines(path);
        lines[1] = "{\"id\": 3";
        File.WriteAllText(path, string.Join('\n', lines) + "\n");

        JsonlFormatException exception = await Assert.ThrowsAsync<JsonlFormatException>(() => _loop.RunAsync());

        Assert.Equal((path, 2L), (exception.File, exception.LineNumber));
    }

    [Fact]
    public async Task RunAsync_LineOfAnotherChain_Refuses()
    {
        await StopInCollectionAsync();
        string path = Path.Combine(_loop.Folder(), "round-01", "traces.jsonl");
        File.WriteAllText(path, File.ReadAllText(path).Replace("r01-000002", "r01-000009", StringComparison.Ordinal));

        RunFolderException exception = await Assert.ThrowsAsync<RunFolderException>(() => _loop.RunAsync());

        Assert.Equal(path, exception.Path);
        Assert.Contains("line 2", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("round-00/round.json")]
    [InlineData("round-00/training.json")]
    [InlineData("run.json")]
    public async Task RunAsync_DamagedCommit_NamesTheFile(string file)
    {
        await StopInCollectionAsync();
        string path = Path.Combine(_loop.Folder(), file);
        File.WriteAllText(path, "{\"round\": ");

        RunFolderException exception = await Assert.ThrowsAsync<RunFolderException>(() => _loop.RunAsync());

        Assert.Equal(Path.GetFullPath(path), exception.Path);
    }

    [Fact]
    public async Task RunAsync_FullDisk_SaysSoAndLeavesAFolderThatGoesOn()
    {
        FaultyFiles counting = new(failAt: 0);
        await _loop.RunAsync("unbroken", counting);

        for (int failAt = 1; failAt <= counting.OperationCount; failAt += 7)
        {
            string name = $"full-{failAt}";
            RunFolderException exception = await Assert.ThrowsAsync<RunFolderException>(() => _loop.RunAsync(
                name, new FaultyFiles(failAt, () => new IOException("No space left on device"))));
            Assert.Contains("No space left on device", exception.Message, StringComparison.Ordinal);
            Assert.StartsWith(_loop.Folder(name), exception.Path, StringComparison.Ordinal);
            Assert.True(!Directory.Exists(_loop.Folder(name)) || !_loop.Snapshot(name).Keys.Any(file => file.EndsWith(".partial", StringComparison.Ordinal)));

            await _loop.RunAsync(name);

            Assert.Equal(_loop.Snapshot("unbroken"), _loop.Snapshot(name));
        }
    }

    [Fact]
    public async Task RunAsync_ReadOnlyFolder_SaysSo()
    {
        if (OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess)
        {
            Assert.Skip("Needs a user who is bound by a folder's permissions.");
            return;
        }

        DirectoryInfo folder = Directory.CreateDirectory(_loop.Folder());
        File.SetUnixFileMode(folder.FullName, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        try
        {
            RunFolderException exception = await Assert.ThrowsAsync<RunFolderException>(() => _loop.RunAsync());

            Assert.Contains(_loop.Folder(), exception.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.SetUnixFileMode(folder.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    [Fact]
    public async Task RunAsync_FolderInUse_Refuses()
    {
        Exception? second = null;
        await _loop.RunAsync(prepare: () => _loop.Observer.OnEvent = text =>
        {
            if (text == "0 committed")
            {
                second = Record.Exception(() => new AriesLoop(_loop.Parts() with { Observers = [] }, _loop.Options)
                    .RunAsync(_loop.Base, _loop.Data, _loop.Folder(), TestContext.Current.CancellationToken).GetAwaiter().GetResult());
            }
        });

        RunFolderException exception = Assert.IsType<RunFolderException>(second);
        Assert.Contains("Another process", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunAsync_FolderOfSomethingElse_RefusesAndLeavesItAlone()
    {
        Directory.CreateDirectory(_loop.Folder());
        File.WriteAllText(Path.Combine(_loop.Folder(), "thesis.tex"), "mine");

        RunFolderException exception = await Assert.ThrowsAsync<RunFolderException>(() => _loop.RunAsync());

        Assert.Contains("thesis.tex", exception.Message, StringComparison.Ordinal);
        Assert.Equal(["thesis.tex"], _loop.Snapshot().Keys);
    }

    [Fact]
    public async Task RunAsync_PathOfAFile_Refuses()
    {
        File.WriteAllText(_loop.Folder(), "mine");

        await Assert.ThrowsAsync<RunFolderException>(() => _loop.RunAsync());
    }

    public static TheoryData<string, string> Differences => new()
    {
        { "rounds", "rounds" },
        { "seed", "seed" },
        { "sampling", "sampling" },
        { "evaluation sampling", "sampling.evaluation" },
        { "reference", "reference" },
        { "batch", "batch_size" },
        { "strategy", "strategy" },
        { "template", "template" },
        { "scorer", "scorer" },
        { "true scorer", "scorer.true" },
        { "selector", "selector" },
        { "trainer", "trainer" },
        { "warm-up trainer", "trainer.warm_up" },
        { "model", "model" },
        { "prompts", "data.prompts" },
        { "evaluation prompts", "data.evaluation" },
        { "warm-up pairs", "data.warm_up" },
        { "offline pairs", "data.offline" },
        { "correct at", "correct_at" },
        { "greedy", "evaluate_greedy" },
        { "pair form", "pair_form" },
    };

    [Theory]
    [MemberData(nameof(Differences))]
    public async Task RunAsync_SomethingDiffers_RefusesAndSaysWhat(string what, string key)
    {
        await StopInCollectionAsync();
        SortedDictionary<string, string> files = _loop.Snapshot();
        Change(what);

        RunMismatchException exception = await Assert.ThrowsAsync<RunMismatchException>(() => _loop.RunAsync());

        RunDifference difference = Assert.Single(exception.Differences, difference => difference.Key == key);
        Assert.NotEqual(difference.Expected, difference.Actual);
        Assert.Contains(key, exception.Message, StringComparison.Ordinal);
        Assert.Equal(files, _loop.Snapshot());
    }

    private Task<SimulatedCrashException> StopInCollectionAsync() => Assert.ThrowsAsync<SimulatedCrashException>(() => _loop.RunAsync(
        prepare: () => _loop.Observer.OnEvent = text => _ = text == "1 chain r01-000003" ? throw new SimulatedCrashException(text) : 0));

    private void Change(string what)
    {
        Func<AriesLoopParts> parts = _loop.Parts;
        IReadOnlyList<Prompt> Reworded(IReadOnlyList<Prompt> prompts) => [.. prompts.Take(prompts.Count - 1), "reworded?"];
        switch (what)
        {
            case "rounds": _loop.Options = _loop.Options with { RoundCount = 1 }; break;
            case "seed": _loop.Options = _loop.Options with { Seed = 8 }; break;
            case "sampling": _loop.Options = _loop.Options with { Sampling = new SamplingOptions { TopK = 3 } }; break;
            case "evaluation sampling": _loop.Options = _loop.Options with { EvaluationSampling = new SamplingOptions { StopSequences = ["\n"] } }; break;
            case "reference": _loop.Options = _loop.Options with { Reference = ReferencePolicy.Initial }; break;
            case "batch": _loop.Options = _loop.Options with { BatchSize = 3 }; break;
            case "correct at": _loop.Options = _loop.Options with { CorrectAt = 0.5 }; break;
            case "greedy": _loop.Options = _loop.Options with { EvaluateGreedy = false }; break;
            case "pair form": _loop.Options = _loop.Options with { PairForm = PreferenceJsonlForm.Chat }; break;
            case "strategy": _loop.Parts = () => parts() with { Strategy = new AriesRefinement(2) }; break;
            case "template": _loop.Parts = () => parts() with { Strategy = new AriesRefinement(3, new RefinementTemplate("{question} {response}")) }; break;
            case "scorer": _loop.Parts = () => parts() with { Scorer = new ToyScorer("other", _ => 0) }; break;
            case "true scorer": _loop.Parts = () => parts() with { TrueScorer = null }; break;
            case "selector": _loop.Parts = () => parts() with { Selector = new OtherSelector() }; break;
            case "trainer": _loop.Parts = () => parts() with { Trainer = new ToyPolicyTrainer(rowsPerStep: 3) }; break;
            case "warm-up trainer": _loop.Parts = () => parts() with { WarmUpTrainer = new ToyPolicyTrainer(rowsPerStep: 3) }; break;
            case "model": File.WriteAllText(Path.Combine(_loop.Base.ModelPath, "weights.txt"), "43\n"); break;
            case "prompts": _loop.Data = _loop.Data with { Prompts = Reworded(_loop.Data.Prompts) }; break;
            case "evaluation prompts": _loop.Data = _loop.Data with { EvaluationPrompts = Reworded(_loop.Data.EvaluationPrompts) }; break;
            case "warm-up pairs": _loop.Data = _loop.Data with { WarmUpPairs = [.. _loop.Data.WarmUpPairs.Select(pair => pair with { Rejected = "3" })] }; break;
            case "offline pairs": _loop.Data = _loop.Data with { OfflinePairs = [.. _loop.Data.OfflinePairs.Take(2)] }; break;
            default: throw new ArgumentOutOfRangeException(nameof(what), what, "Unknown.");
        }
    }

    private sealed class OtherSelector : IPreferencePairSelector
    {
        public bool NeedsScores => false;

        public PairSelection SelectPairs(RefinementTrace trace) => new([], []);
    }
}
