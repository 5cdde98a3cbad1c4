using System.Text.Json;
using Aries.Managed;
using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

/// <summary>QuickStart with a model and questions of the user's own: the plumbing, for stories260K gets no sum right.</summary>
public sealed class QuickStartOwnModelTests(OwnModelRun run) : IClassFixture<OwnModelRun>
{
    private static readonly string[] Methods = ["aries", "iterativedpo", "supervisedonly"];

    [Fact]
    public void QuickStart_Compare_ReportsEveryMethodInFull()
    {
        JsonElement runs = run.FirstJson.GetProperty("runs");

        Assert.Equal(["Aries", "IterativeDpo", "SupervisedOnly"], runs.EnumerateObject().Select(method => method.Name));
        foreach (JsonElement round in runs.EnumerateObject().Select(method => method.Value.GetProperty("Rounds")[1]))
        {
            Assert.Equal(12, round.GetProperty("Collection").GetProperty("ChainCount").GetInt32());
            Assert.InRange(round.GetProperty("Pairs").GetProperty("KeptCount").GetInt32(), 1, 12);
            Assert.True(double.IsFinite(round.GetProperty("Training").GetProperty("Metrics").GetProperty("loss").GetDouble()));
            Assert.Equal(2, round.GetProperty("Evaluation").GetProperty("Turns").GetArrayLength());
            Assert.Equal(4, round.GetProperty("GreedyEvaluation").GetProperty("ChainCount").GetInt32());
        }

        Assert.Equal(4, run.FirstJson.GetProperty("parallel").EnumerateObject().Count());
        Assert.All(Methods, method => Assert.Contains(method, run.First.Output, StringComparison.OrdinalIgnoreCase));
        Assert.Contains("vote of 2", run.First.Output, StringComparison.Ordinal);
        Assert.Contains("Everything is in", run.First.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task QuickStart_OwnModel_LeavesAWholeRunFolder()
    {
        foreach (string method in Methods)
        {
            string round = Path.Combine(run.RunFolder, method, "round-01");
            Assert.All(
                ["run.json", "metrics.jsonl", "report.html"],
                file => Assert.True(new FileInfo(Path.Combine(run.RunFolder, method, file)).Length > 0, $"{method}/{file}"));
            Assert.All(
                ["traces.jsonl", "collection.json", "pairs.jsonl", "training.json", "evaluation.jsonl", "evaluation-greedy.jsonl", "round.json"],
                file => Assert.True(new FileInfo(Path.Combine(round, file)).Length > 0, $"{method}/round-01/{file}"));

            using ManagedPolicyModel trained = ManagedPolicyModel.Load(Path.Combine(round, "checkpoint"));
            Response response = await trained.GenerateAsync(
                "Once upon a time", new SamplingOptions { Temperature = 0, MaxTokens = 4 }, TestContext.Current.CancellationToken);
            Assert.NotEqual("", response.Text);
            Assert.NotEqual(
                await File.ReadAllBytesAsync(TestData.Golden("stories260K-hf", "model.safetensors"), TestContext.Current.CancellationToken),
                await File.ReadAllBytesAsync(Path.Combine(round, "checkpoint", "model.safetensors"), TestContext.Current.CancellationToken));
        }
    }

    [Fact]
    public async Task QuickStart_OverlapReward_LearnsFromWrongAnswersOfTheFilesQuestions()
    {
        List<PreferencePair> pairs = await PreferenceJsonl.ReadAsync(
            Path.Combine(run.RunFolder, "aries", "round-01", "pairs.jsonl"), TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);
        List<PromptRecord> questions = await PromptJsonl.ReadAsync(
            TestData.Golden("gsm8k", "questions.jsonl"), TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);

        // The first four questions are held out, the next twelve are the round's.
        HashSet<Prompt> learnt = [.. questions[4..16].Select(question => question.Prompt)];
        Assert.NotEmpty(pairs);
        Assert.All(pairs, pair => Assert.Contains(pair.Prompt, learnt));
        Assert.All(pairs, pair => Assert.InRange(pair.ChosenScore!.Value, pair.RejectedScore!.Value + 1e-9, 0.5));
    }

    [Fact]
    public void QuickStart_SameCallAgain_ReturnsTheSameNumbersWithoutWorkDoneAgain()
    {
        string[] kept = [.. run.Written.Keys.Where(file => Path.GetFileName(file) is "model.safetensors" or "pairs.jsonl" or "traces.jsonl" or "evaluation.jsonl" or "round.json" or "training.json")];

        Assert.Equal(run.FirstJson.GetProperty("runs").GetRawText(), run.SecondJson.GetProperty("runs").GetRawText());
        Assert.Equal(run.FirstJson.GetProperty("parallel").GetRawText(), run.SecondJson.GetProperty("parallel").GetRawText());
        Assert.Contains("round 1 (from the run folder)", run.Second.FlatOutput, StringComparison.Ordinal);
        Assert.DoesNotContain("(from the run folder)", run.First.FlatOutput, StringComparison.Ordinal);
        Assert.True(kept.Length >= 3 * 6, $"{kept.Length} files");
        Assert.All(kept, file => Assert.Equal(run.Written[file], File.GetLastWriteTimeUtc(file)));
    }

    [Fact]
    public async Task QuickStart_SameFolderOtherBatchSize_SaysWhatDiffersAndTouchesNothing()
    {
        string[] arguments = OwnModelRun.Arguments(run.RunFolder);
        arguments[Array.IndexOf(arguments, "--batch-size") + 1] = "3";

        SampleResult result = await SampleProcess.RunAsync("QuickStart", arguments);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("trainer was", result.Error, StringComparison.Ordinal);
        Assert.Contains("batch 4", result.Error, StringComparison.Ordinal);
        Assert.Contains("batch 3", result.Error, StringComparison.Ordinal);
        Assert.Contains("choose another folder", result.Error, StringComparison.Ordinal);
        string file = Path.Combine(run.RunFolder, "aries", "round-01", "round.json");
        Assert.Equal(run.Written[file], File.GetLastWriteTimeUtc(file));
    }

    [Fact]
    public async Task QuickStart_ExactRewardAndNothingRight_SaysThatNoPairCameOfTheRound()
    {
        using SampleFolder folder = new();

        SampleResult result = await SampleProcess.RunAsync(
            "QuickStart",
            "--model", TestData.Golden("stories260K-hf"), "--prompts", TestData.Golden("gsm8k", "questions.jsonl"), "--json", folder.File("run.json"),
            "--rounds", "1", "--prompts-per-round", "6", "--evaluation-prompts", "3", "--turns", "2", "--max-tokens", "8", "--output", folder.File("run"));

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("Round 1 has no preference pair to train on: 6 chains, 0 of them failed; pairs dropped:", result.Error, StringComparison.Ordinal);
        Assert.Contains(folder.File("run", "aries", "round-01", "traces.jsonl"), result.Error, StringComparison.Ordinal);
        Assert.Contains("right by turn 0.0 → 0.0 %", result.FlatOutput, StringComparison.Ordinal);
        Assert.False(File.Exists(folder.File("run.json")));
        Assert.False(Directory.Exists(folder.File("run", "aries", "round-01", "checkpoint")));
    }
}
