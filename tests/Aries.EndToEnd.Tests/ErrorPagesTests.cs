using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

/// <summary>Keeps docs/errors/ whole: every exception has a page whose title names it, and the index leads there.</summary>
public class ErrorPagesTests
{
    private static readonly string Folder = Path.Combine(TestData.RepositoryRoot, "docs", "errors");

    public static TheoryData<string> Exceptions =>
    [
        .. new[] { typeof(AriesException).Assembly, typeof(ChatTemplate).Assembly, typeof(Managed.ManagedPolicyModel).Assembly, typeof(OnnxRuntime.OnnxRuntimePolicyModel).Assembly, typeof(OnnxRuntimeGenAI.GenAIPolicyModel).Assembly, typeof(Preferences.IPreferenceLoss).Assembly, typeof(Extensions.AI.ChatClientPolicyModel).Assembly }
            .SelectMany(assembly => assembly.GetExportedTypes())
            .Where(type => type.IsAssignableTo(typeof(Exception)) && !type.IsAbstract)
            .Select(type => type.Name)
            .Order(StringComparer.Ordinal),
    ];

    [Theory]
    [MemberData(nameof(Exceptions))]
    public void Exception_OfOurs_HasAPageAndTheIndexLeadsThere(string name)
    {
        string page = Assert.Single(Directory.GetFiles(Folder, "*.md"), file => File.ReadLines(file).First().EndsWith($": {name}", StringComparison.Ordinal));

        Assert.Contains($"]({Path.GetFileName(page)})", File.ReadAllText(Path.Combine(Folder, "index.md")), StringComparison.Ordinal);
    }
}
