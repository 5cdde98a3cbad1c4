using System.Text.Json;
using Aries.TestKit;

namespace Aries.Core.Tests;

public sealed class AriesLoopTests : IDisposable
{
    private readonly LoopFixture _loop = new();

    public void Dispose() => _loop.Dispose();

    [Fact]
    public async Task RunAsync_AllStages_TrainsWarmUpOfflineAndEachRoundFromTheLast()
    {
        AriesRunResult result = await _loop.RunAsync();

        string run = _loop.Folder();
        string[] policies = [.. _loop.Trainer.Requests.Select(request => request.Policy.ModelPath)];
        string[] outputs = [.. _loop.Trainer.Requests.Select(request => request.OutputPath)];
        Assert.Equal(
            [Path.Combine(run, "round-00", "warm-up-checkpoint"), Path.Combine(run, "round-00", "checkpoint"), Path.Combine(run, "round-01", "checkpoint"), Path.Combine(run, "round-02", "checkpoint")],
            outputs);
        Assert.Equal([_loop.Base.ModelPath, outputs[0], outputs[1], outputs[2]], policies);
        Assert.IsType<SupervisedTrainingRequest>(_loop.Trainer.Requests[0]);
        Assert.All(_loop.Trainer.Requests.Skip(1), request => Assert.IsType<PreferenceTrainingRequest>(request));
        Assert.Equal(outputs[3], result.LastCheckpoint.ModelPath);
        Assert.Equal([0, 1, 2], result.Rounds.Select(round => round.Round));
    }

    [Theory]
    [InlineData(ReferencePolicy.Previous, "round-00", "round-00", "round-01")]
    [InlineData(ReferencePolicy.Initial, "round-00", "round-00", "round-00")]
    public async Task RunAsync_Reference_IsTheOneChosen(ReferencePolicy reference, string offline, string first, string second)
    {
        _loop.Options = _loop.Options with { Reference = reference };

        await _loop.RunAsync();

        // The offline training's reference is the warmed-up policy, whichever the rounds' is.
        Assert.Equal(
            [Path.Combine(_loop.Folder(), offline, "warm-up-checkpoint"), Path.Combine(_loop.Folder(), first, "checkpoint"), Path.Combine(_loop.Folder(), second, "checkpoint")],
            _loop.Trainer.Requests.OfType<PreferenceTrainingRequest>().Select(request => request.Reference.ModelPath));
    }

    [Fact]
    public async Task RunAsync_WarmUp_LearnsTwoExamplesATriple()
    {
        await _loop.RunAsync();

        SupervisedTrainingRequest request = Assert.IsType<SupervisedTrainingRequest>(_loop.Trainer.Requests[0]);
        Assert.Equal(6, request.Examples.Count);
        Assert.Equal([null, "1"], request.Examples.Take(2).Select(example => example.PreviousResponse));
    }

    [Fact]
    public async Task RunAsync_NoLabelledData_StartsTheRoundsFromTheBase()
    {
        _loop.Data = _loop.Data with { WarmUpPairs = [], OfflinePairs = [] };

        AriesRunResult result = await _loop.RunAsync();

        Assert.Equal(_loop.Base, result.Rounds[0].Checkpoint);
        Assert.Equal(_loop.Base, _loop.Trainer.Requests[0].Policy);
        Assert.Null(result.Rounds[0].WarmUp);
        Assert.Null(result.Rounds[0].Training);
    }

    [Fact]
    public async Task RunAsync_Stages_ComeInTheOrderOfThePaper()
    {
        await _loop.RunAsync();

        string[] stages = [.. _loop.Observer.Events.Where(text => text.EndsWith("completed", StringComparison.Ordinal) || text.EndsWith("committed", StringComparison.Ordinal))];
        Assert.Equal(
            [
                "0 WarmUp completed", "0 OfflineTraining completed", "0 Evaluation completed", "0 GreedyEvaluation completed", "0 committed",
                "1 Collection completed", "1 Training completed", "1 Evaluation completed", "1 GreedyEvaluation completed", "1 committed",
                "2 Collection completed", "2 Training completed", "2 Evaluation completed", "2 GreedyEvaluation completed", "2 committed",
                "run completed",
            ],
            stages);
    }

    [Fact]
    public async Task RunAsync_Prompts_AreConsecutiveSlices()
    {
        await _loop.RunAsync();

        Assert.Equal(["learn 1?", "learn 2?", "learn 3?", "learn 4?", "learn 5?"], TracePrompts(1));
        Assert.Equal(["learn 6?", "learn 7?", "learn 8?", "learn 9?", "learn 10?"], TracePrompts(2));

        string[] TracePrompts(int round) =>
            [.. _loop.Lines($"round-{round:00}", "traces.jsonl").Select(line => JsonDocument.Parse(line).RootElement.GetProperty("prompt").GetString()!)];
    }

    [Fact]
    public async Task RunAsync_Evaluation_DrawsWithTheSameSeedsInAllRounds()
    {
        List<(int LoadCount, long? Seed)> seeds = [];

        await _loop.RunAsync(prepare: () => _loop.Loader.OnBatch = requests => seeds.AddRange(requests
            .Where(request => request.Prompt.Question.StartsWith("judge", StringComparison.Ordinal) && !request.Options.IsGreedy)
            .Select(request => (_loop.Loader.Loads.Count, request.Options.Seed))));

        ILookup<int, long?> byModel = seeds.ToLookup(item => item.LoadCount, item => item.Seed);
        Assert.Equal(3, byModel.Count);
        Assert.All(byModel, model => Assert.Equal(byModel.First(), model));
        Assert.Equal(3, byModel.First().Distinct().Count());
    }

    [Fact]
    public async Task RunAsync_Collection_DrawsWithOtherSeedsInEachRound()
    {
        List<long?> seeds = [];

        await _loop.RunAsync(prepare: () => _loop.Loader.OnBatch = requests => seeds.AddRange(requests
            .Where(request => request.Prompt.Question.StartsWith("learn", StringComparison.Ordinal)).Select(request => request.Options.Seed)));

        Assert.Equal(10, seeds.Count);
        Assert.Equal(10, seeds.Distinct().Count());
    }

    [Fact]
    public async Task RunAsync_OtherSeed_DrawsOtherChains()
    {
        await _loop.RunAsync("one");
        _loop.Options = _loop.Options with { Seed = 8 };
        await _loop.RunAsync("two");

        string traces = Path.Combine("round-01", "traces.jsonl");
        Assert.NotEqual(_loop.Snapshot("one")[traces], _loop.Snapshot("two")[traces]);
    }

    [Fact]
    public async Task RunAsync_Training_HasTheMemoryToItself()
    {
        List<int> loaded = [];

        await _loop.RunAsync(prepare: () => _loop.Trainer.OnStep = _ => loaded.Add(_loop.Loader.LoadedCount));

        Assert.NotEmpty(loaded);
        Assert.All(loaded, count => Assert.Equal(0, count));
        Assert.Equal(0, _loop.Loader.LoadedCount);
        // One load a policy: the evaluation of M_t and the collection of round t + 1 share it.
        Assert.Equal(3, _loop.Loader.Loads.Count);
    }

    [Fact]
    public async Task RunAsync_Again_DoesNothingAndReturnsTheSame()
    {
        AriesRunResult first = await _loop.RunAsync();
        SortedDictionary<string, string> files = _loop.Snapshot();

        AriesRunResult second = await _loop.RunAsync();

        Assert.Empty(_loop.Trainer.Requests);
        Assert.Empty(_loop.Loader.Loads);
        Assert.Equal(["run started", "0 restored", "1 restored", "2 restored", "run completed"], _loop.Observer.Events);
        Assert.Equal(files, _loop.Snapshot());
        Assert.Equal(first.Rounds.Select(round => round.Checkpoint), second.Rounds.Select(round => round.Checkpoint));
        Assert.Equivalent(first, second, strict: true);
    }

    [Fact]
    public async Task RunAsync_MovedFolder_GoesOnThere()
    {
        await _loop.RunAsync();
        Directory.Move(_loop.Folder(), _loop.Folder("moved"));

        AriesRunResult result = await _loop.RunAsync("moved");

        Assert.Empty(_loop.Trainer.Requests);
        Assert.Equal(Path.Combine(_loop.Folder("moved"), "round-02", "checkpoint"), result.LastCheckpoint.ModelPath);
    }

    [Fact]
    public async Task RunAsync_ZeroRounds_EndsAfterTheOfflineTraining()
    {
        _loop.Options = _loop.Options with { RoundCount = 0 };

        AriesRunResult result = await _loop.RunAsync();

        Assert.Equal(2, _loop.Trainer.Requests.Count);
        Assert.NotNull(Assert.Single(result.Rounds).Evaluation);
    }

    [Fact]
    public async Task RunAsync_OwnTrainersForWarmUpAndOffline_UsesThem()
    {
        ToyPolicyTrainer warmUp = new(), offline = new();
        Func<AriesLoopParts> parts = _loop.Parts;
        _loop.Parts = () => parts() with { WarmUpTrainer = warmUp, OfflineTrainer = offline };

        await _loop.RunAsync();

        Assert.IsType<SupervisedTrainingRequest>(Assert.Single(warmUp.Requests));
        Assert.IsType<PreferenceTrainingRequest>(Assert.Single(offline.Requests));
        Assert.Equal(2, _loop.Trainer.Requests.Count);
    }

    [Fact]
    public async Task RunAsync_EvaluationStrategy_JudgesOtherwiseThanItCollects()
    {
        Func<AriesLoopParts> parts = _loop.Parts;
        _loop.Parts = () => parts() with { EvaluationStrategy = new AriesRefinement(turnCount: 2) };

        AriesRunResult result = await _loop.RunAsync();

        Assert.Equal(3, result.Rounds[1].Collection!.Turns.Count);
        Assert.Equal(2, result.Rounds[1].Evaluation!.Turns.Count);
    }

    [Fact]
    public async Task RunAsync_Pairs_AreThoseOfTheFileAndReadByTrl()
    {
        await _loop.RunAsync();

        PreferenceTrainingRequest request = _loop.Trainer.Requests.OfType<PreferenceTrainingRequest>().Last();
        JsonElement[] lines = [.. _loop.Lines("round-02", "pairs.jsonl").Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.Equal(request.Pairs.Select(pair => pair.Chosen), lines.Select(line => line.GetProperty("chosen").GetString()));
        Assert.Equal(request.Pairs.Select(pair => pair.Rejected), lines.Select(line => line.GetProperty("rejected").GetString()));
        Assert.Equal(request.Pairs.Select(pair => pair.Prompt.Question), lines.Select(line => line.GetProperty("prompt").GetString()));
    }

    [Fact]
    public async Task RunAsync_PromptsOfSeveralTurns_WritesPairsAsChats()
    {
        Prompt chat = new([new PromptTurn(PromptRole.System, "Be brief."), new PromptTurn(PromptRole.User, "learn?")]);
        _loop.Data = _loop.Data with { Prompts = [chat, .. LoopFixture.Prompts("learn", 9)] };

        await _loop.RunAsync();

        Assert.All(
            _loop.Lines("round-01", "pairs.jsonl"),
            line => Assert.Equal(JsonValueKind.Array, JsonDocument.Parse(line).RootElement.GetProperty("prompt").ValueKind));
    }

    [Fact]
    public async Task RunAsync_TrueScorer_MeasuresThePairs()
    {
        AriesRunResult result = await _loop.RunAsync();

        // The chain's best mean digit does not always start with the better digit: the verifier sees all three cases over both rounds.
        PairsReport[] pairs = [.. result.Rounds.Skip(1).Select(round => round.Pairs!)];
        Assert.All(pairs, report => Assert.Equal(report.KeptCount, report.RightCount + report.WrongCount + report.EqualCount));
        foreach ((PairsReport report, int round) in pairs.Zip([1, 2]))
        {
            int right = _loop.Lines($"round-{round:00}", "pairs.jsonl").Select(line => JsonDocument.Parse(line).RootElement)
                .Count(pair => First(pair, "chosen") >= 5 && First(pair, "rejected") < 5);
            Assert.Equal(right, report.RightCount);
        }

        static int First(JsonElement pair, string name) => pair.GetProperty(name).GetString()![0] - '0';
    }

    [Fact]
    public async Task RunAsync_NoTrueScorer_ReportsTheScorersScoresAndNoPairAccuracy()
    {
        Func<AriesLoopParts> parts = _loop.Parts;
        _loop.Parts = () => parts() with { TrueScorer = null };

        AriesRunResult result = await _loop.RunAsync();

        RoundReport round = result.Rounds[1];
        Assert.Null(round.Pairs!.RightCount);
        Assert.Equal(round.Collection!.Turns[0].MeanSelectionScore, round.Collection.Turns[0].MeanScore);
        Assert.NotNull(round.Evaluation!.Turns[0].MeanScore);
        Assert.Null(round.Collection.ScoreCorrelation);
    }

    [Fact]
    public async Task RunAsync_ScoresThatAreNoNumber_AreDroppedAndCounted()
    {
        Func<AriesLoopParts> parts = _loop.Parts;
        _loop.Parts = () => parts() with
        {
            Scorer = new ToyScorer("half", request => request.Prompt.Question.EndsWith("1?", StringComparison.Ordinal) ? double.NaN : request.Response.Sum(unit => unit)),
        };

        AriesRunResult result = await _loop.RunAsync();

        Assert.Equal(1, result.Rounds[1].Pairs!.Drops[PairDropReasons.NotScored]);
        Assert.All(result.Rounds[1].Collection!.Turns, turn => Assert.NotNull(turn.MeanSelectionScore));
    }

    [Fact]
    public async Task RunAsync_NoPair_SaysWhy()
    {
        Func<AriesLoopParts> parts = _loop.Parts;
        _loop.Parts = () => parts() with { Scorer = new ToyScorer("constant", _ => 1) };

        NoPreferencePairsException exception = await Assert.ThrowsAsync<NoPreferencePairsException>(() => _loop.RunAsync());

        Assert.Equal((1, 5, 0), (exception.Round, exception.ChainCount, exception.FailedCount));
        Assert.Equal(5, exception.Drops[PairDropReasons.Equal]);
        Assert.Contains("equal 5", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunAsync_OneChainFails_GoesOnAndCountsIt()
    {
        AriesRunResult result = await _loop.RunAsync(prepare: () => _loop.Loader.Rewrite = (request, response) =>
            request.Prompt.Question == "learn 2?" ? Response.Failed(new IOException("connection reset")) : response);

        Assert.Equal((5, 1), (result.Rounds[1].Collection!.ChainCount, result.Rounds[1].Collection!.FailedCount));
        Assert.Equal(0, result.Rounds[2].Collection!.FailedCount);
        Assert.Contains("connection reset", _loop.Lines("round-01", "traces.jsonl")[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunAsync_EngineFails_StopsAndGoesOnOnceItWorks()
    {
        await _loop.RunAsync("unbroken");
        ChainsFailedException exception = await Assert.ThrowsAsync<ChainsFailedException>(() => _loop.RunAsync(prepare: () => _loop.Loader.OnBatch = requests =>
        {
            if (requests.Any(request => request.Prompt.Question == "learn 3?"))
            {
                throw new IOException("out of memory");
            }
        }));
        Assert.Equal((1, LoopStage.Collection, 2), (exception.Round, exception.Stage, exception.ChainCount));
        Assert.Contains("out of memory", exception.Message, StringComparison.Ordinal);

        await _loop.RunAsync();

        Assert.Equal(_loop.Snapshot("unbroken"), _loop.Snapshot());
    }

    [Fact]
    public async Task RunAsync_SelectorNeedsScoresAndThereIsNoScorer_Throws()
    {
        Func<AriesLoopParts> parts = _loop.Parts;
        _loop.Parts = () => parts() with { Scorer = null };

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(() => _loop.RunAsync());

        Assert.Equal("Scorer", exception.ParamName);
    }

    [Fact]
    public async Task RunAsync_TooFewPrompts_ThrowsAndMakesNoFolder()
    {
        _loop.Data = _loop.Data with { Prompts = LoopFixture.Prompts("learn", 9) };

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(() => _loop.RunAsync());

        Assert.Contains("need 10 prompts, but there are 9", exception.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_loop.Folder()));
    }

    [Fact]
    public async Task RunAsync_BlankPrompt_ThrowsWithItsIndex()
    {
        _loop.Data = _loop.Data with { EvaluationPrompts = ["fine?", "  "] };

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(() => _loop.RunAsync());

        Assert.Contains("EvaluationPrompts[1]", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunAsync_EvaluationPromptThatIsLearntFrom_Throws()
    {
        _loop.Data = _loop.Data with { EvaluationPrompts = ["judge?", "learn 3?"] };

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(() => _loop.RunAsync());

        Assert.Contains("learn 3?", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Constructor_TemplateOtherThanTheStrategys_Throws()
    {
        _loop.Options = _loop.Options with { Template = new RefinementTemplate("Better: {question} {response}") };

        Assert.Throws<ArgumentException>(() => new AriesLoop(_loop.Parts(), _loop.Options));
    }

    [Fact]
    public async Task RunAsync_StrategysTemplate_IsWhatTrainingRendersWith()
    {
        RefinementTemplate template = new("Better: {question} {response}");
        Func<AriesLoopParts> parts = _loop.Parts;
        _loop.Parts = () => parts() with { Strategy = new AriesRefinement(2, template) };

        await _loop.RunAsync();

        Assert.All(_loop.Trainer.Requests, request => Assert.Equal(template, request.Template));
    }

    [Fact]
    public async Task RunAsync_OptionsChangedAfterwards_KeepsItsOwn()
    {
        SamplingOptions sampling = new() { Temperature = 0.5f };
        AriesLoopOptions options = _loop.Options with { Sampling = sampling };
        AriesLoop loop = new(_loop.Parts(), options);
        options.RoundCount = 0;
        sampling.Temperature = 0;

        AriesRunResult result = await loop.RunAsync(_loop.Base, _loop.Data, _loop.Folder(), TestContext.Current.CancellationToken);

        Assert.Equal(3, result.Rounds.Count);
        Assert.Contains("temperature 0.5,", File.ReadAllText(Path.Combine(_loop.Folder(), "run.json")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunAsync_Metrics_HoldALineAStepAndALineARound()
    {
        await _loop.RunAsync();

        JsonElement[] lines = [.. _loop.Lines("metrics.jsonl").Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.Equal(_loop.Trainer.StepCount + 3, lines.Length);
        Assert.Equal([0, 1, 2], lines.Where(IsRound).Select(line => line.GetProperty("round").GetInt32()));
        Assert.All(lines.Where(line => !IsRound(line)), line => Assert.True(line.TryGetProperty("grad_norm", out _) && line.TryGetProperty("loss", out _)));
        Assert.True(lines[^1].TryGetProperty("evaluation/turn_3/correct", out _));
        Assert.True(lines[^1].TryGetProperty("pairs/kept", out _));

        static bool IsRound(JsonElement line) => line.GetProperty("stage").GetString() == "round";
    }

    [Fact]
    public async Task RunAsync_MetricThatIsNoNumber_IsNullInTheFile()
    {
        _loop.Data = _loop.Data with { WarmUpPairs = [] };
        Func<AriesLoopParts> parts = _loop.Parts;
        _loop.Parts = () => parts() with { OfflineTrainer = new NaNTrainer(_loop.Trainer) };

        await _loop.RunAsync();

        JsonElement first = JsonDocument.Parse(_loop.Lines("metrics.jsonl")[0]).RootElement;
        Assert.Equal(JsonValueKind.Null, first.GetProperty("entropy").ValueKind);
        await _loop.RunAsync();
    }

    [Fact]
    public async Task RunAsync_Report_EscapesWhatItShows()
    {
        Func<AriesLoopParts> parts = _loop.Parts;
        _loop.Parts = () => parts() with { Selector = new ToySelector("<script>alert(1)</script>"), Scorer = new ToyScorer("coarse", request => request.Response[0] > '4' ? 1 : 0) };

        await _loop.RunAsync();

        string html = File.ReadAllText(Path.Combine(_loop.Folder(), "report.html"));
        Assert.Contains("&lt;script&gt;alert(1)&lt;/script&gt;", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", html, StringComparison.Ordinal);
        Assert.DoesNotContain("http", html, StringComparison.Ordinal);
        Assert.Contains("<svg", html, StringComparison.Ordinal);
    }

    private sealed class NaNTrainer(IPolicyTrainer inner) : IPolicyTrainer
    {
        public Task<TrainingResult> TrainSupervisedAsync(SupervisedTrainingRequest request, Action<TrainingProgress>? progress = null, CancellationToken cancellationToken = default) =>
            inner.TrainSupervisedAsync(request, progress, cancellationToken);

        public async Task<TrainingResult> TrainPreferencesAsync(PreferenceTrainingRequest request, Action<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
        {
            TrainingResult result = await inner.TrainPreferencesAsync(
                request,
                step => progress?.Invoke(step with { Metrics = new Dictionary<string, double>(step.Metrics) { ["entropy"] = double.NaN } }),
                cancellationToken);
            return result with { Metrics = new Dictionary<string, double>(result.Metrics) { ["entropy"] = double.NaN } };
        }

        public string Describe() => "not a number";
    }
}
