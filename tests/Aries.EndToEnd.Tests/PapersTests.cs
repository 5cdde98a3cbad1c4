using System.Text.RegularExpressions;
using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

/// <summary>Keeps docs/papers.md true: every row names code that is there and a test that is there, and every loss has a row.</summary>
public partial class PapersTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(TestData.RepositoryRoot, "docs", "papers.md"));

    public static TheoryData<string> Rows => [.. TableRow().Matches(Page).Select(match => match.Groups["cells"].Value).Where(row => row.Contains("](../src/", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Rows))]
    public void Row_OfTheTable_NamesCodeAndTestsThatExist(string row)
    {
        string[] cells = row.Split('|', StringSplitOptions.TrimEntries);
        (string source, string test) = (cells[^2], cells[^1]);
        Match link = SourceLink().Match(source);
        Match[] names = TestName().Matches(test).ToArray();

        Assert.True(link.Success, $"no link to a source file: {row}");
        string code = File.ReadAllText(Path.Combine(TestData.RepositoryRoot, "docs", link.Groups["path"].Value));
        foreach (Match name in CodeName().Matches(cells[^3]))
        {
            Assert.Matches($@"\b{Regex.Escape(name.Groups["name"].Value)}\b", code);
        }

        Assert.NotEmpty(names);
        foreach (Match name in names)
        {
            string file = Assert.Single(FindTests(name.Groups["class"].Value));
            Assert.Contains($" {name.Groups["method"].Value}(", File.ReadAllText(file), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Rows_Page_NameEveryLoss()
    {
        string[] missing =
        [
            .. typeof(Preferences.IPreferenceLoss).Assembly.GetExportedTypes()
                .Where(type => type.IsClass && type.IsAssignableTo(typeof(Preferences.IPreferenceLoss)))
                .Select(type => type.Name)
                .Where(name => !Page.Contains($"`{name}`", StringComparison.Ordinal)),
        ];

        Assert.Empty(missing);
    }

    private static string[] FindTests(string type) =>
        Directory.GetFiles(Path.Combine(TestData.RepositoryRoot, "tests"), type + ".cs", SearchOption.AllDirectories);

    [GeneratedRegex(@"^\|(?<cells>[^\n]*)\|$", RegexOptions.Multiline)]
    private static partial Regex TableRow();

    [GeneratedRegex(@"\]\((?<path>\.\./src/[^)]+\.cs)\)")]
    private static partial Regex SourceLink();

    [GeneratedRegex(@"`(?<name>\w+)[^`]*`")]
    private static partial Regex CodeName();

    [GeneratedRegex(@"`(?<class>\w+Tests)\.(?<method>\w+)`")]
    private static partial Regex TestName();
}
