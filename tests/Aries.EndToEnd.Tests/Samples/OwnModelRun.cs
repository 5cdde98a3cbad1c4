using System.Text.Json;
using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

/// <summary>QuickStart on stories260K and questions of GSM8K with all its methods: a first call, and the same call again.</summary>
public sealed class OwnModelRun : IAsyncLifetime
{
    private readonly SampleFolder _folder = new();

    internal SampleResult First { get; private set; } = null!;

    internal SampleResult Second { get; private set; } = null!;

    /// <summary>Gets the first call's numbers.</summary>
    internal JsonElement FirstJson { get; private set; }

    /// <summary>Gets the second call's numbers.</summary>
    internal JsonElement SecondJson { get; private set; }

    /// <summary>Gets when each file of the runs was last written, before the second call.</summary>
    internal Dictionary<string, DateTime> Written { get; private set; } = [];

    internal string RunFolder => _folder.File("run");

    internal static string[] Arguments(string output) =>
    [
        "--model", TestData.Golden("stories260K-hf"), "--prompts", TestData.Golden("gsm8k", "questions.jsonl"), "--reward", "overlap", "--compare",
        "--rounds", "1", "--prompts-per-round", "12", "--evaluation-prompts", "4", "--turns", "2", "--max-tokens", "16", "--batch-size", "4", "--output", output,
    ];

    public async ValueTask InitializeAsync()
    {
        First = await SampleProcess.RunAsync("QuickStart", [.. Arguments(RunFolder), "--json", _folder.File("first.json")]);
        Assert.True(First.ExitCode == 0, First.Error);
        Written = Directory.EnumerateFiles(RunFolder, "*", SearchOption.AllDirectories).ToDictionary(file => file, File.GetLastWriteTimeUtc);
        Second = await SampleProcess.RunAsync("QuickStart", [.. Arguments(RunFolder), "--json", _folder.File("second.json")]);
        Assert.True(Second.ExitCode == 0, Second.Error);
        FirstJson = Parse(_folder.File("first.json"));
        SecondJson = Parse(_folder.File("second.json"));
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    private static JsonElement Parse(string file) => JsonDocument.Parse(File.ReadAllBytes(file)).RootElement;
}
