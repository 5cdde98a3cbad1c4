using System.Text.Json;

namespace Aries.EndToEnd.Tests;

/// <summary>Runs StoryPreferences, small: what it reports is what its stories are.</summary>
public sealed class StoryPreferencesTests
{
    private static readonly string[] Tiny = ["--rounds", "1", "--prompts-per-round", "16", "--evaluation-prompts", "4"];

    [Fact]
    public async Task StoryPreferences_TinyRun_ReportsWhatTheStoriesAreAndGoesOnAtOnce()
    {
        using SampleFolder folder = new();

        SampleResult first = await SampleProcess.RunAsync("StoryPreferences", [.. Tiny, "--output", folder.File("run"), "--json", folder.File("first.json")]);
        SampleResult second = await SampleProcess.RunAsync("StoryPreferences", [.. Tiny, "--output", folder.File("run"), "--json", folder.File("second.json")]);

        Assert.True(first.ExitCode == 0, first.Error);
        Assert.True(second.ExitCode == 0, second.Error);
        string text = await File.ReadAllTextAsync(folder.File("first.json"), TestContext.Current.CancellationToken);
        string again = await File.ReadAllTextAsync(folder.File("second.json"), TestContext.Current.CancellationToken);
        using JsonDocument json = JsonDocument.Parse(text);
        JsonElement[] results = [.. json.RootElement.GetProperty("results").EnumerateArray()];
        Assert.Equal(["base", "DPO", "ARIES"], results.Select(result => result.GetProperty("method").GetString()));
        string[] prompts = [.. json.RootElement.GetProperty("prompts").EnumerateArray().Select(prompt => prompt.GetString()!)];
        Assert.Equal(4, prompts.Distinct().Count());

        foreach (JsonElement result in results)
        {
            string[][] stories = [.. result.GetProperty("stories").EnumerateArray().Select(chain => chain.EnumerateArray().Select(story => story.GetString()!).ToArray())];
            Assert.Equal(4, stories.Length);
            for (int turn = 0; turn < 3; turn++)
            {
                double[] scores = [.. stories.Select(chain => Speech(chain[turn]))];
                double mean = scores.Sum() / 4;
                double deviation = Math.Sqrt(scores.Sum(score => (score - mean) * (score - mean)) / 3);
                JsonElement reported = result.GetProperty("scores")[turn];
                Assert.Equal(mean, reported.GetProperty("mean").GetDouble(), 1e-9);
                Assert.Equal(deviation / 2, reported.GetProperty("standardError").GetDouble(), 1e-9);
                Assert.Contains(FormattableString.Invariant($"{mean:F3} ± {deviation / 2:F3}"), first.Output, StringComparison.Ordinal);
            }

            Assert.InRange(result.GetProperty("baseLogProbability").GetProperty("mean").GetDouble(), -10, -0.1);
            Assert.Contains(Flatten(stories[2][0]), first.FlatOutput, StringComparison.Ordinal);
        }

        // Models differ after training, and the same call again measures the same checkpoints.
        Assert.Equal(3, results.Select(result => result.GetProperty("stories").GetRawText()).Distinct().Count());
        Assert.Equal(text[text.IndexOf("\"prompts\"", StringComparison.Ordinal)..], again[again.IndexOf("\"prompts\"", StringComparison.Ordinal)..]);
        Assert.Equal(Prompts("aries"), Prompts("dpo"));
        Assert.Empty(Prompts("aries").Intersect(prompts));

        HashSet<string> Prompts(string method) =>
        [
            .. File.ReadLines(folder.File("run", method, "round-01", "traces.jsonl")).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("prompt").GetString()!),
        ];
    }

    [Theory]
    [InlineData("--evaluation-prompts", "1", "--evaluation-prompts must be 2 or more")]
    [InlineData("--prompts-per-round", "0", "PromptsPerRound must be 1 or greater")]
    [InlineData("--prompts-per-round", "2000", "need 2000 prompts, but there are 1532")]
    [InlineData("--rounds", "few", "few")]
    public async Task StoryPreferences_BadOption_NamesIt(string option, string value, string mention)
    {
        using SampleFolder folder = new();

        SampleResult result = await SampleProcess.RunAsync("StoryPreferences", [.. Tiny.Select((argument, index) => index > 0 && Tiny[index - 1] == option ? value : argument), "--output", folder.File("run")]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains(mention, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Unhandled exception", result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("run")));
    }

    // Three times the share of words that stand between a quotation mark and the next one, at most 1; found by a walk over the letters.
    private static double Speech(string story)
    {
        (int all, int spoken, int pending) = (0, 0, 0);
        bool quoted = false, inWord = false;
        foreach (char letter in story)
        {
            if (letter == '"')
            {
                spoken += quoted ? pending : 0;
                (quoted, pending, inWord) = (!quoted, 0, false);
            }
            else if (char.IsWhiteSpace(letter))
            {
                inWord = false;
            }
            else if (!inWord)
            {
                (inWord, all, pending) = (true, all + 1, pending + 1);
            }
        }

        return all == 0 ? 0 : Math.Min(1, 3.0 * spoken / all);
    }

    private static string Flatten(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
