using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

/// <summary>What QuickStart says of its options, and of those that cannot be.</summary>
public sealed class QuickStartCommandLineTests
{
    [Fact]
    public async Task QuickStart_Help_ExplainsEveryOption()
    {
        SampleResult result = await SampleProcess.RunAsync("QuickStart", "--help");

        Assert.Equal(0, result.ExitCode);
        Assert.All(
            ["--model", "--prompts", "--reward", "--output", "--json", "--compare", "--rounds", "--alpha", "--beta", "--seed", "--turns", "--learning-rate", "--lora-rank"],
            option => Assert.Matches($@"(?m)^ +{option} .*\w+ \w+", result.Output));
    }

    [Theory]
    [InlineData("Alpha must be in [0, 1]", "--alpha", "1.5")]
    [InlineData("Beta must be finite and greater than 0", "--beta", "0")]
    [InlineData("RefinementBeta must be finite and greater than 0", "--refinement-beta", "NaN")]
    [InlineData("Temperature must be finite and 0", "--temperature", "-1")]
    [InlineData("RoundCount must be 0 or greater", "--rounds", "-1")]
    [InlineData("Rank must be 1 or more", "--lora-rank", "-2")]
    [InlineData("need 57 prompts, but there are 56", "--prompts-per-round", "57")]
    [InlineData("no/such/model", "--model", "no/such/model")]
    [InlineData("no/such/file.jsonl", "--prompts", "no/such/file.jsonl")]
    [InlineData("many", "--rounds", "many")]
    [InlineData("kind", "--reward", "kind")]
    [InlineData("--unknown", "--unknown", "1")]
    public async Task QuickStart_BadOption_NamesItAndLeavesNothing(string mention, string option, string value)
    {
        using SampleFolder folder = new();
        Dictionary<string, string> options = new()
        {
            ["--model"] = TestData.Golden("stories260K-hf"),
            ["--prompts"] = TestData.Golden("gsm8k", "questions.jsonl"),
            ["--rounds"] = "1",
            ["--prompts-per-round"] = "8",
            ["--evaluation-prompts"] = "4",
            ["--output"] = folder.File("run"),
            [option] = value,
        };

        SampleResult result = await SampleProcess.RunAsync("QuickStart", [.. options.Select(pair => $"{pair.Key}={pair.Value}")]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains(mention, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Unhandled exception", result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("run")));
    }

    [Theory]
    [InlineData("""{"question": "How many?", "answer": "#### 3" """, "line 2")]
    [InlineData("""{"text": "How many?"}""", "line 2")]
    [InlineData("""{"question": "How many?", "answer": "three"}""", "no number after ####")]
    public async Task QuickStart_MalformedPrompts_NamesWhatIsWrong(string line, string mention)
    {
        using SampleFolder folder = new();
        string file = folder.File("questions.jsonl");
        await File.WriteAllTextAsync(file, $"{{\"question\": \"What?\", \"answer\": \"#### 1\"}}\n{line}\n", TestContext.Current.CancellationToken);

        SampleResult result = await SampleProcess.RunAsync("QuickStart", "--model", TestData.Golden("stories260K-hf"), "--prompts", file, "--output", folder.File("run"));

        Assert.Equal(1, result.ExitCode);
        Assert.Contains(mention, result.Error, StringComparison.Ordinal);
        Assert.Contains(mention.StartsWith("line", StringComparison.Ordinal) ? file : "How many?", result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("run")));
    }

    [Theory]
    [InlineData("--model needs --prompts", "--model", "any")]
    [InlineData("--prompts and --reward need --model", "--prompts", "any.jsonl")]
    [InlineData("--prompts and --reward need --model", "--reward", "overlap")]
    public async Task QuickStart_OptionWithoutItsPartner_SaysWhichIsMissing(string mention, string option, string value)
    {
        using SampleFolder folder = new();

        SampleResult result = await SampleProcess.RunAsync("QuickStart", option, value, "--output", folder.File("run"));

        Assert.Equal(1, result.ExitCode);
        Assert.Contains(mention, result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("run")));
    }
}
