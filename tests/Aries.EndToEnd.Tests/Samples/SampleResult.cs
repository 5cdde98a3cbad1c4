using System.Text.RegularExpressions;

namespace Aries.EndToEnd.Tests;

/// <summary>How a sample ended, and what it wrote.</summary>
internal sealed partial record SampleResult(int ExitCode, string Output, string Error)
{
    /// <summary>Gets the output with every run of white space, the console's line breaks among them, as one space.</summary>
    public string FlatOutput => WhiteSpace.Replace(Output, " ");

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace { get; }
}
