using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Aries.EndToEnd.Tests;

/// <summary>Runs QuickStart on its own task, small, and works out again what it reports.</summary>
public sealed partial class QuickStartTests
{
    private const int PromptCount = 64;
    private const int HeldOutCount = 32;

    [Fact]
    public async Task QuickStart_SmallRunOfItsOwnTask_ReportsWhatTheAnswersAre()
    {
        using SampleFolder folder = new();

        SampleResult result = await SampleProcess.RunAsync(
            "QuickStart",
            "--compare", "--rounds", "1", "--prompts-per-round", $"{PromptCount}", "--evaluation-prompts", $"{HeldOutCount}", "--output", folder.File("run"), "--json", folder.File("run.json"));

        Assert.True(result.ExitCode == 0, result.Error);
        using JsonDocument json = JsonDocument.Parse(await File.ReadAllBytesAsync(folder.File("run.json"), TestContext.Current.CancellationToken));
        HashSet<string> heldOut = [];
        foreach ((string name, JsonElement run) in json.RootElement.GetProperty("runs").EnumerateObject().Select(method => (method.Name, method.Value)))
        {
            for (int round = 0; round <= 1; round++)
            {
                string path = folder.File("run", name.ToLowerInvariant(), $"round-0{round}");
                JsonElement report = run.GetProperty("Rounds")[round];
                await CheckAsync(Path.Combine(path, "evaluation.jsonl"), report.GetProperty("Evaluation"), heldOut);
                await CheckAsync(Path.Combine(path, "evaluation-greedy.jsonl"), report.GetProperty("GreedyEvaluation"), heldOut);
            }

            // Chosen answers are better by the true reward or, where both are right or wrong, by their workings; nothing held out is learnt from.
            List<PreferencePair> pairs = await PreferenceJsonl.ReadAsync(
                folder.File("run", name.ToLowerInvariant(), "round-01", "pairs.jsonl"), TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);
            Assert.InRange(pairs.Count, 1, PromptCount);
            Assert.Equal(pairs.Count, run.GetProperty("Rounds")[1].GetProperty("Pairs").GetProperty("KeptCount").GetInt32());
            Assert.All(pairs, pair => Assert.True(IsRight(pair.Prompt.Question, pair.Chosen) || !IsRight(pair.Prompt.Question, pair.Rejected)));
            Assert.All(pairs, pair => Assert.DoesNotContain(pair.Prompt.Question, heldOut));
        }

        // All methods are judged on the same problems. The best of four samples is right where any of them is, so also wherever their vote is.
        Assert.Equal(HeldOutCount, heldOut.Count);
        JsonElement parallel = json.RootElement.GetProperty("parallel");
        Assert.InRange(parallel.GetProperty("base, vote of 4").GetDouble(), 0, parallel.GetProperty("base, best of 4 by the true score").GetDouble());
        Assert.InRange(parallel.GetProperty("ARIES, vote of 4").GetDouble(), 0, parallel.GetProperty("ARIES, best of 4 by the true score").GetDouble());
        Assert.Contains($"{HeldOutCount} held-out prompts", result.FlatOutput, StringComparison.Ordinal);
        Assert.DoesNotContain("…", result.Output, StringComparison.Ordinal);
        Assert.Contains("wrong→right", result.FlatOutput, StringComparison.Ordinal);
    }

    private static async Task CheckAsync(string path, JsonElement report, HashSet<string> questions)
    {
        List<RefinementTrace> chains = await TraceJsonl.ReadAsync(path, TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);
        questions.UnionWith(chains.Select(chain => chain.Prompt.Question));
        Assert.Equal(HeldOutCount, chains.Count);
        for (int turn = 0; turn < 4; turn++)
        {
            bool[] first = [.. chains.Select(chain => IsRight(chain.Prompt.Question, chain.Drafts.First().Text))];
            bool[] now = [.. chains.Select(chain => IsRight(chain.Prompt.Question, chain.Drafts.ElementAt(turn).Text))];
            JsonElement reported = report.GetProperty("Turns")[turn];
            Assert.Equal((double)now.Count(right => right) / HeldOutCount, reported.GetProperty("CorrectFraction").GetDouble(), 1e-12);
            Assert.Equal(first.Zip(now).Count(pair => pair is (false, true)), reported.GetProperty("WrongToRightCount").GetInt32());
            Assert.Equal(first.Zip(now).Count(pair => pair is (true, false)), reported.GetProperty("RightToWrongCount").GetInt32());
        }
    }

    // The number before the colon is right when it is what the story comes to: what somebody has, and each gain or loss.
    private static bool IsRight(string question, string answer)
    {
        int total = 0;
        foreach (Match match in Event.Matches(question))
        {
            int amount = int.Parse(match.Groups["amount"].Value, CultureInfo.InvariantCulture);
            total += match.Groups["verb"].Value is "sells" or "loses" or "away" or "drops" ? -amount : amount;
        }

        return answer.Split(':')[0].Trim() == total.ToString(CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"(?<verb>\w+) (?<amount>\d+)")]
    private static partial Regex Event { get; }
}
