namespace Aries.Core.Tests;

public class AriesRunResultTests
{
    private static RoundReport Round(int round, double? correct, double? score) => new()
    {
        Round = round,
        Checkpoint = new PolicyCheckpoint($"m{round}"),
        Evaluation = score is null ? null : new ChainsReport
        {
            // The first turn, best in the last round, must not decide.
            Turns = [new TurnReport { Turn = 1, CorrectFraction = round, MeanScore = round }, new TurnReport { Turn = 2, CorrectFraction = correct, MeanScore = score }],
        },
    };

    private static AriesRunResult Result(params RoundReport[] rounds) => new() { RunFolder = "run", Rounds = rounds };

    [Fact]
    public void BestRound_RightShareDiffers_IsTheHighestOfTheLastTurn() =>
        Assert.Equal(1, Result(Round(0, 0.5, 9), Round(1, 0.7, 1), Round(2, 0.6, 5)).BestRound.Round);

    [Fact]
    public void BestRound_NothingIsRight_TakesTheMeanScore() =>
        Assert.Equal(2, Result(Round(0, 0, 0.1), Round(1, 0, 0.2), Round(2, 0, 0.3)).BestRound.Round);

    [Fact]
    public void BestRound_Equals_TakesTheEarliest() =>
        Assert.Equal("m1", Result(Round(0, 0.1, 1), Round(1, 0.5, 1), Round(2, 0.5, 1)).BestCheckpoint.ModelPath);

    [Fact]
    public void BestRound_NoEvaluation_IsTheLast() =>
        Assert.Equal(2, Result(Round(0, null, null), Round(1, null, null), Round(2, null, null)).BestRound.Round);
}
