using Aries.Managed;
using Aries.TestKit;
using Microsoft.Extensions.DependencyInjection;

namespace Aries.EndToEnd.Tests.Snippets;

/// <summary>Runs the code that the pages show, on a small model and on scripted ones.</summary>
public sealed class SnippetTests : IDisposable
{
    private static readonly string ModelFolder = TestData.Golden("stories260K-hf");

    private static readonly Prompt[] Prompts = [.. Enumerable.Range(1, 8).Select(i => new Prompt($"Tell story {i} about a cat."))];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("aries-snippets-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task GettingStarted_Refine_GivesTheLastOfThreeDrafts()
    {
        RefinementResult result = await GettingStarted.RefineAsync(ModelFolder);

        Assert.Equal(RefinementStopReason.Completed, result.StopReason);
        Assert.Equal(3, result.Trace.Drafts.Count());
        Assert.Equal(result.Trace.Drafts.Last().Text, result.Answer);
        Assert.NotEmpty(result.Answer!);
    }

    [Fact]
    public async Task GettingStarted_Stream_EndsWithTheResult()
    {
        using ScriptedPolicyModel policy = new("a", "b", "c");

        RefinementResult? result = await GettingStarted.StreamAsync(new SelfRefiner(policy, new AriesRefinement(turnCount: 3)));

        Assert.Equal("c", result?.Answer);
    }

    [Fact]
    public async Task GettingStarted_Score_StopsAtTheThreshold()
    {
        using ScriptedPolicyModel policy = new("A dog.", "A cat.", "A cow.");

        RefinementResult result = await GettingStarted.ScoreAsync(policy);

        Assert.Equal("A cat.", result.Answer);
        Assert.Equal(RefinementStopReason.ThresholdReached, result.StopReason);
    }

    [Fact]
    public async Task Comparing_FourMethods_AreJudgedAtTheirTokens()
    {
        // The direct answer is wrong, and every refinement is right.
        using ScriptedPolicyModel policy = new(question => question.Contains("RESPONSE", StringComparison.Ordinal) ? "right" : "wrong");
        ScriptedScorer scorer = new(response => response == "right" ? 1 : 0);

        IReadOnlyList<(string Name, double Score, long Tokens)> rows = await Comparing.CompareAsync(policy, scorer, new DelegateAnswerExtractor(text => text), Prompts);

        Assert.Equal([("direct", 0, 40), ("refined", 1, 160), ("vote of 4", 0, 160), ("best of 4", 0, 160)], rows); // 8 prompts, 5 letters an answer
    }

    [Fact]
    public void LossValues_TwoPairs_AreThoseOfTheEquation()
    {
        (double[] losses, double slope) = LossValues.Compute();

        // h = (−12 + 13) − (−14 + 13) = 2 and h = 0 − 1 = −1: −log σ(0.2) and −log σ(−0.1); the slope is −β·σ(−0.2).
        Assert.Equal(Math.Log(1 + Math.Exp(-0.2)), losses[0], 1e-12);
        Assert.Equal(Math.Log(1 + Math.Exp(0.1)), losses[1], 1e-12);
        Assert.Equal(-0.1 / (1 + Math.Exp(0.2)), slope, 1e-12);
    }

    [Fact]
    public async Task GettingStarted_CollectThenTrain_WritesPairsAndATrainedFolder()
    {
        string pairFile = In("pairs.jsonl");
        CollectionReport report;
        using (ManagedPolicyModel policy = ManagedPolicyModel.Load(ModelFolder))
        {
            report = await GettingStarted.CollectAsync(policy, Longer(), Prompts, pairFile);
        }

        TrainingResult trained = await GettingStarted.TrainAsync(ModelFolder, pairFile, In("trained"));

        Assert.Equal(8, report.ChainCount);
        Assert.InRange(report.PairCount, 1, 8);
        Assert.Equal(0, report.FailedCount);
        Assert.Equal(report.PairCount, File.ReadAllLines(pairFile).Length);
        Assert.Equal(0, trained.DroppedRowCount);
        using ManagedPolicyModel again = ManagedPolicyModel.Load(trained.Checkpoint.ModelPath);
        Assert.NotEqual(
            CheckpointFingerprint.Compute(ModelFolder, cancellationToken: TestContext.Current.CancellationToken),
            CheckpointFingerprint.Compute(trained.Checkpoint.ModelPath, cancellationToken: TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task GettingStarted_Loop_ReportsEachRoundAndItsFolderCanBeRead()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        Prompt[] heldOut = ["Tell a story about a dog.", "Tell a story about a bird."];

        AriesRunResult run = await GettingStarted.RunLoopAsync(ModelFolder, Longer(), Prompts, heldOut, In("run"));

        Assert.Equal([0, 1, 2], run.Rounds.Select(round => round.Round));
        Assert.All(run.Rounds, round => Assert.Equal(3, round.Evaluation!.Turns.Count));
        foreach (string name in (string[])["run.json", "metrics.jsonl", "report.html", "round-01/traces.jsonl", "round-01/pairs.jsonl", "round-01/collection.json",
            "round-01/training.json", "round-01/evaluation.jsonl", "round-01/round.json", "round-02/checkpoint/model.safetensors"])
        {
            Assert.True(File.Exists(In(Path.Combine("run", name))), name);
        }

        List<RefinementTrace> traces = await TraceJsonl.ReadAsync(In(Path.Combine("run", "round-01", "traces.jsonl")), cancellationToken).ToListAsync(cancellationToken);
        int expected = traces.Count(trace => trace.Drafts.Last().Score!.Value.Value < trace.Drafts.First().Score!.Value.Value);
        Assert.Equal(4, traces.Count);
        Assert.Equal(expected, await RunFiles.CountSpoiledAsync(In("run")));
    }

    [Fact]
    public async Task OwnTraining_WarmUpThenAdapter_WritesBoth()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        await File.WriteAllTextAsync(In("prompts.jsonl"), "{\"question\":\"What is 2 + 3?\",\"answer\":\"2 + 3 = 5\\n#### 5\"}\n", cancellationToken);
        await File.WriteAllTextAsync(
            In("pairs.jsonl"),
            string.Concat(Enumerable.Range(1, 8).Select(i => $"{{\"prompt\":\"Story {i}:\",\"chosen\":\" Tom saw a cat. It was big.\",\"rejected\":\" Tom sat.\"}}\n")),
            cancellationToken);
        IReadOnlyList<PreferencePair> pairs = await OwnTraining.ReadDataAsync(In("prompts.jsonl"), In("pairs.jsonl"));

        TrainingResult warm = await OwnTraining.WarmUpAsync(ModelFolder, pairs, In("warm"), In("warm-state"), cancellationToken);
        TrainingResult adapter = await OwnTraining.TrainAdapterAsync(warm.Checkpoint, pairs, In("adapter"), cancellationToken);

        Assert.Equal(6, warm.StepCount); // 16 examples in batches of 8, three times
        Assert.Equal(In("warm"), adapter.Checkpoint.ModelPath);
        Assert.Equal(In("adapter"), adapter.Checkpoint.AdapterPath);
        Assert.Equal(64, (await Models.LoadCheckpointAsync(In("warm"), In("adapter"))).Length);
    }

    [Fact]
    public async Task Models_Folder_WritesThePublishedStory() =>
        Assert.StartsWith(", there was a little girl named Lily.", await Models.LoadAsync(ModelFolder), StringComparison.Ordinal);

    [Fact]
    public void Models_Llama2cFile_IsNamedByItsFile() => Assert.Equal(
        "stories260K.bin",
        Models.LoadFile(TestData.Golden("stories260K", "stories260K.bin"), TestData.Golden("stories260K", "tok512.bin")));

    [Fact]
    public async Task Models_OwnTemplate_StopsAtTheLine()
    {
        Response response = await Models.LoadWithTemplateAsync(ModelFolder);

        Assert.InRange(response.Usage.ResponseTokens, 1, 8);
        Assert.DoesNotContain("\n", response.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Models_LogProbability_PrefersTheStory() => Assert.True(await Models.ScoreAsync(ModelFolder) > 0);

    [Fact]
    public async Task Containers_AddAries_GivesAServiceItsRefiner()
    {
        IServiceCollection services = Containers.AddRefinement(new ServiceCollection(), ModelFolder).AddSingleton<Containers.AnswerService>();
        using ServiceProvider provider = services.BuildServiceProvider();

        string? answer = await provider.GetRequiredService<Containers.AnswerService>().AnswerAsync("Tell a story.", TestContext.Current.CancellationToken);

        Assert.False(string.IsNullOrEmpty(answer));
    }

    [Fact]
    public async Task Containers_ReplacePolicy_AnswersWithTheFake()
    {
        using ScriptedPolicyModel fake = new("one", "two", "three");
        using ServiceProvider provider = Containers.ReplacePolicy(Containers.AddRefinement(new ServiceCollection(), ModelFolder), fake).BuildServiceProvider();

        RefinementResult result = await provider.GetRequiredService<SelfRefiner>().RefineAsync("x", TestContext.Current.CancellationToken);

        Assert.Equal("three", result.Answer);
    }

    [Fact]
    public async Task Containers_AddLoop_MakesTheLoopWithItsOptions()
    {
        using ServiceProvider provider = Containers.AddTraining(new ServiceCollection(), ModelFolder, Longer(), new ScriptedScorer(_ => 0.5)).BuildServiceProvider();
        AriesLoopData data = new() { EvaluationPrompts = ["Tell a story."] };
        AriesLoop loop = provider.GetRequiredService<AriesLoop>();

        // Two rounds of a thousand prompts are chosen, and there are none: the loop says so before it begins.
        ArgumentException error = await Assert.ThrowsAsync<ArgumentException>(
            () => loop.RunAsync(new PolicyCheckpoint(ModelFolder), data, In("run"), TestContext.Current.CancellationToken));

        Assert.Contains("2 rounds of 1000 prompts need 2000 prompts", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watching_Meter_HearsTheTokens()
    {
        Dictionary<string, long> tokens = [];
        using ScriptedPolicyModel policy = new("four");
        using (Watching.CountTokens((count, type) => { lock (tokens) { tokens[type] = tokens.GetValueOrDefault(type) + count; } }))
        {
            await Baselines.Direct(policy).RefineAsync("x", TestContext.Current.CancellationToken);
        }

        Assert.True(tokens["response"] >= 4); // other tests of the process are heard, too
        Assert.True(tokens["prompt"] >= 1);
    }

    [Fact]
    public void Watching_SpoilGuard_StopsTheRunWhereRefinementSpoils()
    {
        StringWriter output = new();
        Watching.SpoilGuard guard = new(output);
        RoundReport report = new()
        {
            Round = 2,
            Checkpoint = new PolicyCheckpoint("model"),
            Evaluation = new ChainsReport
            {
                Turns = [new TurnReport { Turn = 1, MeanScore = 0.5 }, new TurnReport { Turn = 2, MeanScore = 0.25, RightToWrongCount = 3, WrongToRightCount = 1 }],
            },
        };

        Assert.Throws<InvalidOperationException>(() => guard.OnRoundCompleted(report));

        Assert.Contains("round 2: direct ", output.ToString(), StringComparison.Ordinal);
    }

    // Longer stories score higher: a preference that any two drafts have.
    private static DelegateRewardScorer Longer() => new((_, response) => response.Length, "longer");

    private string In(string name) => Path.Combine(_folder.FullName, name);
}
