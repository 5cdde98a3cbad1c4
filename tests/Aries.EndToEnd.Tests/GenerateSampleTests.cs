using System.Diagnostics;
using System.Text;
using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

/// <summary>Runs the built sample as its users do: as a process.</summary>
public sealed class GenerateSampleTests
{
    private const string Story = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park.";

    [Fact]
    public async Task Generate_GreedyOnAFolder_WritesThePublishedStory()
    {
        (int exitCode, string output, string error) = await RunAsync(
            null, "--model", TestData.Golden("stories260K-hf"), "--prompt", "Once upon a time", "--greedy", "--max-tokens", "60");

        Assert.Equal(0, exitCode);
        Assert.StartsWith(Story["Once upon a time".Length..], output, StringComparison.Ordinal);
        Assert.Contains("tokens/s", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_Llama2cFileAndStandardInput_WritesTheSameStory()
    {
        (int exitCode, string output, _) = await RunAsync(
            "Once upon a time", "--model", TestData.Golden("stories260K", "stories260K.bin"), "--tokenizer", TestData.Golden("stories260K", "tok512.bin"), "--greedy", "--max-tokens", "60");

        Assert.Equal(0, exitCode);
        Assert.StartsWith(Story["Once upon a time".Length..], output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_StopAndLogProbabilities_AreHonoured()
    {
        (int exitCode, string output, string error) = await RunAsync(
            null, "--model", TestData.Golden("stories260K-hf"), "--prompt", "Once upon a time", "--greedy", "--stop", " She", "--logprobs");

        Assert.Equal(0, exitCode);
        Assert.Equal(", there was a little girl named Lily.", output.TrimEnd('\r', '\n'));
        Assert.Contains("token 432: -0.", error, StringComparison.Ordinal);
        Assert.Contains("log-probability -", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--model", "no/such/folder", "no/such/folder")]
    [InlineData("--temperature", "-1", "Temperature")]
    [InlineData("--max-tokens", "0", "MaxTokens")]
    [InlineData("--max-tokens", "many", "many")]
    [InlineData("--greedy", "--seed=1", "--seed")]
    [InlineData("--prompt", "", "prompt")]
    [InlineData("--unknown", "1", "--unknown")]
    public async Task Generate_BadInput_SaysSoInOneLineAndFails(string option, string value, string mention)
    {
        List<string> arguments = [option, value];
        if (option != "--model")
        {
            arguments.AddRange(["--model", TestData.Golden("stories260K-hf")]);
        }

        if (option != "--prompt")
        {
            arguments.AddRange(["--prompt", "Once upon a time"]);
        }

        (int exitCode, string output, string error) = await RunAsync(null, [.. arguments]);

        Assert.InRange(exitCode, 1, 2);
        Assert.Equal("", output.Trim());
        Assert.Contains(mention, Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)), StringComparison.Ordinal);
    }

    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(string? input, params string[] arguments)
    {
        // The tests' project builds the sample, in its own folder, for the same configuration and framework.
        string[] folders = AppContext.BaseDirectory.Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries);
        string program = Path.Combine(TestData.RepositoryRoot, "samples", "Generate", "bin", folders[^2], folders[^1], "Generate.dll");
        ProcessStartInfo start = new(Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        foreach (string argument in (string[])[program, .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await error);
    }
}
