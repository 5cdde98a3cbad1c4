using System.Text.RegularExpressions;
using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

/// <summary>Keeps README and docs/ true: every C# block is a region of compiled code, and every local link leads somewhere.</summary>
public partial class DocumentationTests
{
    public static TheoryData<string> Pages => [.. FindPages()];

    [Theory]
    [MemberData(nameof(Pages))]
    public void CSharpBlocks_OnPage_AreRegionsOfCompiledCode(string page)
    {
        string text = File.ReadAllText(Path.Combine(TestData.RepositoryRoot, page));

        foreach (Match block in CSharpBlock().Matches(text))
        {
            Assert.True(block.Groups["file"].Success, $"{page}: a C# block has no '<!-- snippet: file#region -->' line above it:\n{block.Value}");
            string region = ReadRegion(block.Groups["file"].Value, block.Groups["region"].Value);
            Assert.Equal(region, block.Groups["code"].Value.TrimEnd(), ignoreLineEndingDifferences: true);
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void LocalLinks_OnPage_LeadSomewhere(string page)
    {
        string path = Path.Combine(TestData.RepositoryRoot, page);
        string folder = Path.GetDirectoryName(path)!;

        string[] broken =
        [
            .. LocalLink().Matches(File.ReadAllText(path))
                .Select(match => match.Groups["target"].Value.Split('#')[0])
                .Where(target => target.Length > 0 && !target.Contains("://", StringComparison.Ordinal) && !target.StartsWith("mailto:", StringComparison.Ordinal))
                .Where(target => !Path.Exists(Path.Combine(folder, target))),
        ];

        Assert.Empty(broken);
    }

    private static IEnumerable<string> FindPages()
    {
        string root = TestData.RepositoryRoot;
        return Directory.EnumerateFiles(Path.Combine(root, "docs"), "*.md", SearchOption.AllDirectories)
            .Prepend(Path.Combine(root, "README.md"))
            .Select(path => Path.GetRelativePath(root, path).Replace('\\', '/'))
            .Order(StringComparer.Ordinal);
    }

    private static string ReadRegion(string file, string name)
    {
        string[] lines = File.ReadAllLines(Path.Combine(TestData.RepositoryRoot, file));
        int start = Array.FindIndex(lines, line => line.Trim() == $"#region {name}");
        Assert.True(start >= 0, $"{file} has no region '{name}'.");
        string[] body = [.. lines.Skip(start + 1).TakeWhile(line => line.Trim() != "#endregion")];
        int indent = body.Where(line => line.Trim().Length > 0).Min(line => line.Length - line.TrimStart().Length);
        return string.Join('\n', body.Select(line => line.Length >= indent ? line[indent..] : line)).Trim('\n').TrimEnd();
    }

    [GeneratedRegex(@"(?:<!-- snippet: (?<file>[^#\s]+)#(?<region>\S+) -->\n)?```csharp\n(?<code>.*?)```", RegexOptions.Singleline)]
    private static partial Regex CSharpBlock();

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)")]
    private static partial Regex LocalLink();
}
