using CsCheck;

namespace Aries.LocalModels.Tests;

public sealed class ResponseTextTests
{
    [Fact]
    public void Append_StopSequenceAcrossPieces_CutsBeforeIt()
    {
        ResponseText text = new(["\n\nQ:"]);

        Assert.False(text.Append("42\n"));
        Assert.Equal("42", text.TakeReady());
        Assert.False(text.Append("\nQ"));
        Assert.Equal("", text.TakeReady());
        Assert.True(text.Append(": what?"));

        Assert.Equal("", text.TakeRest());
        Assert.Equal("42", text.ToString());
    }

    [Fact]
    public void TakeReady_HeldTextThatIsNoStop_ComesLater()
    {
        ResponseText text = new(["END"]);
        text.Append("abEN");

        Assert.Equal("ab", text.TakeReady());
        text.Append("D".Replace('D', 'T'));
        Assert.Equal("ENT", text.TakeReady());
    }

    [Fact]
    public void TakeRest_HeldTextAtTheEnd_IsGiven()
    {
        ResponseText text = new(["END"]);
        text.Append("abEN");
        text.TakeReady();

        Assert.Equal("EN", text.TakeRest());
        Assert.Equal("abEN", text.ToString());
    }

    [Fact]
    public void Append_SeveralCompleteAtOneCharacter_CutsTheLongest()
    {
        ResponseText text = new(["c", "abc"]);

        text.Append("xabcd");

        Assert.Equal("x", text.ToString());
    }

    [Fact]
    public void Append_OverlappingPrefix_IsFollowed()
    {
        ResponseText text = new(["aab"]);

        text.Append("aaab");

        Assert.True(text.IsStopped);
        Assert.Equal("a", text.ToString());
    }

    [Fact]
    public void TakeReady_HalfASurrogatePair_WaitsForTheOther()
    {
        ResponseText text = new([]);
        text.Append("a\ud83d");

        Assert.Equal("a", text.TakeReady());
        text.Append("\ude00");
        Assert.Equal("\ud83d\ude00", text.TakeReady());
    }

    // Whatever the pieces: the joined updates are the text, which ends before the stop sequence that is complete first.
    [Fact]
    public void Append_RandomPiecesAndStops_EqualsTheDefinitionOnTheWholeText()
    {
        Gen<string> letters = Gen.Char["ab\n"].Array[0, 30].Select(characters => new string(characters));
        Gen<string> stop = Gen.Char["ab\n"].Array[1, 4].Select(characters => new string(characters));
        Gen.Select(letters, stop.Array[0, 3], Gen.Int[1, 5].Array[30]).Sample((whole, stops, sizes) =>
        {
            ResponseText text = new(stops);
            string streamed = "";
            for (int at = 0, piece = 0; at < whole.Length && !text.IsStopped; piece++)
            {
                int size = Math.Min(sizes[piece], whole.Length - at);
                text.Append(whole.AsSpan(at, size));
                streamed += text.TakeReady();
                at += size;
            }

            streamed += text.TakeRest();
            string expected = CutByDefinition(whole, stops);
            return streamed == expected && text.ToString() == expected;
        });
    }

    private static string CutByDefinition(string whole, string[] stops)
    {
        for (int end = 1; end <= whole.Length; end++)
        {
            int longest = stops.Where(stop => whole[..end].EndsWith(stop, StringComparison.Ordinal)).Select(stop => stop.Length).DefaultIfEmpty().Max();
            if (longest > 0)
            {
                return whole[..(end - longest)];
            }
        }

        return whole;
    }
}
