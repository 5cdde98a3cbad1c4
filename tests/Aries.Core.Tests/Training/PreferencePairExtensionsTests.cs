namespace Aries.Core.Tests;

public class PreferencePairExtensionsTests
{
    private static readonly RefinementTemplate Template = new("{question}|{response}|");
    private static readonly PreferencePair Pair = new() { Prompt = "x", Chosen = "w", Rejected = "l", ChosenScore = 2, ChosenProbability = 0.75, TraceId = "t" };

    [Fact]
    public void ToRows_All_GivesTheDirectRowAndBothRefinementRows()
    {
        PreferencePair[] rows = [.. new[] { Pair, Pair with { Prompt = "y" } }.ToRows(Template)];

        Assert.Equal(["x", "x|l|", "x|w|", "y", "y|l|", "y|w|"], rows.Select(row => row.Prompt.Question));
        Assert.All(rows, row => Assert.Equal(Pair, row with { Prompt = "x" }));
    }

    [Theory]
    [InlineData(PreferenceRows.Direct, "x")]
    [InlineData(PreferenceRows.RefineRejected, "x|l|")]
    [InlineData(PreferenceRows.Direct | PreferenceRows.RefineChosen, "x x|w|")]
    public void ToRows_Some_GivesThose(PreferenceRows rows, string expected) =>
        Assert.Equal(expected, string.Join(' ', new[] { Pair }.ToRows(Template, rows).Select(row => row.Prompt.Question)));

    [Theory]
    [InlineData(PreferenceRows.None)]
    [InlineData((PreferenceRows)8)]
    public void ToRows_NoKnownRow_ThrowsAtTheCall(PreferenceRows rows) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => { _ = new[] { Pair }.ToRows(Template, rows); });
}
