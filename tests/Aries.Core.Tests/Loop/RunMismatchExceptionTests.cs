namespace Aries.Core.Tests;

public class RunMismatchExceptionTests
{
    [Fact]
    public void Message_ShortValues_ShowsThemWhole()
    {
        RunMismatchException exception = new("runs/a", [new RunDifference("seed", "1", "2"), new RunDifference("trainer", null, "b")]);

        Assert.Contains("seed was \"1\" and is \"2\"; trainer was absent and is \"b\".", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Message_LongValuesThatDifferLate_ShowsWhereTheyDiffer()
    {
        string start = new('a', 300);

        RunMismatchException exception = new("runs/a", [new RunDifference("trainer", start + "batch 4" + start, start + "batch 3" + start)]);

        Assert.Contains("aabatch 4aa", exception.Message, StringComparison.Ordinal);
        Assert.Contains("aabatch 3aa", exception.Message, StringComparison.Ordinal);
        Assert.InRange(exception.Message.Length, 250, 450);
    }

    [Fact]
    public void Message_OneValueBeginsTheOther_ShowsWhatFollows()
    {
        string start = new('a', 300);

        RunMismatchException exception = new("runs/a", [new RunDifference("template", start, start + "end")]);

        Assert.Contains($"was \"…{start[..60]}\" and is \"…{start[..60]}end\"", exception.Message, StringComparison.Ordinal);
    }
}
