namespace Aries.LocalModels.Tests;

public sealed class RepetitionGuessTests
{
    private const int PassRows = 8;

    [Fact]
    public void Guess_LastTokensStoodBefore_RepeatsWhatFollowed()
    {
        RepetitionGuess guess = new();
        guess.Begin(null);

        Assert.Equal([4, 5], guess.Guess([9, 2, 3, 4, 5, 2, 3], activeRows: 1, PassRows, limit: 2));
    }

    [Fact]
    public void Guess_NothingStoodBefore_IsEmpty()
    {
        RepetitionGuess guess = new();
        guess.Begin(null);

        Assert.Equal([], guess.Guess([1, 2, 3, 4], activeRows: 1, PassRows, limit: 8));
    }

    // 2 3 stands at two places; before anything was copied the later one counts, afterwards the one behind the copy.
    [Fact]
    public void Guess_SeveralPlaces_TakesTheFirstBehindTheCopy()
    {
        int[] text = [1, 7, 2, 3, 4, 2, 3, 5];
        RepetitionGuess guess = new();
        guess.Begin(null);
        Assert.Equal(5, guess.Guess([.. text, 2, 3], 1, PassRows, 1)[0]);

        guess.Begin(0);

        Assert.Equal(4, guess.Guess([.. text, 2, 3], 1, PassRows, 1)[0]);
    }

    [Fact]
    public void Guess_BeginningOfThePredictedText_NeedsOneToken()
    {
        RepetitionGuess guess = new();
        guess.Begin(0);

        Assert.Equal([11, 12], guess.Guess([10, 11, 12, 8, 9, 10], 1, PassRows, 2));
    }

    [Fact]
    public void Guess_MoreSequencesInThePass_IsShorter()
    {
        RepetitionGuess guess = new();
        int[] text = [.. Enumerable.Range(1, 20), 1, 2];
        guess.Begin(null);
        int alone = guess.Guess(text, activeRows: 1, PassRows, limit: 16).Length;
        int among4 = guess.Guess(text, activeRows: 4, PassRows, limit: 16).Length;
        int among32 = guess.Guess(text, activeRows: 32, PassRows, limit: 16).Length;

        Assert.True(alone > among4 && among4 > among32, $"{alone}, {among4}, {among32}");
    }

    [Fact]
    public void Guess_DearerWeights_IsLonger()
    {
        RepetitionGuess guess = new();
        int[] text = [.. Enumerable.Range(1, 20), 1, 2];
        guess.Begin(null);
        int[] lengths = [.. new[] { 4, 2, 1 }.Select(bytes => guess.Guess(text, activeRows: 4, RepetitionGuess.PassRows(bytes), limit: 16).Length)];

        Assert.True(lengths[0] > lengths[1] && lengths[1] > lengths[2], string.Join(", ", lengths));
    }

    [Fact]
    public void Guess_AfterWrongOnes_StopsAndAfterRightOnesComesBack()
    {
        RepetitionGuess guess = new();
        guess.Begin(null);
        List<int> text = [1, 2, 3];
        int wrong = 0;
        while (wrong < 100)
        {
            // 1 2 is followed by another token each time.
            text.AddRange([1, 2]);
            bool isEmpty = guess.Guess([.. text], 1, PassRows, 8).IsEmpty;
            text.Add(1000 + wrong++);
            guess.Learn([.. text], 1);
            if (isEmpty)
            {
                break;
            }
        }

        Assert.InRange(wrong, 5, 60);
        for (int i = 0; i < 40; i++)
        {
            text.AddRange([1, 2]);
            guess.Guess([.. text], 1, PassRows, 8);
            text.Add(77);
            guess.Learn([.. text], 1);
        }

        text.AddRange([1, 2]);
        Assert.Equal(77, guess.Guess([.. text], 1, PassRows, 8)[0]);
    }
}
