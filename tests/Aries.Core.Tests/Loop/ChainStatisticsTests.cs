namespace Aries.Core.Tests;

public class ChainStatisticsTests
{
    private static RefinementTrace Trace(string id, params (string Text, double? Score)[] drafts) => new()
    {
        Id = id,
        Prompt = "why?",
        Steps = [.. drafts.Select(draft => new TraceStep
        {
            Text = draft.Text,
            Usage = new TokenUsage(3, draft.Text.Length),
            Score = draft.Score is { } score ? new RewardScore(score) : RewardScore.Invalid("unreadable"),
        })],
        StopReason = RefinementStopReason.Completed,
    };

    // Four chains, right from 1: right→right, right→wrong, wrong→right, wrong→(ended after one draft, so still wrong).
    [Fact]
    public void ToReport_FourChains_CountsMovesAgainstTurnOne()
    {
        ChainStatistics statistics = new(correctAt: 1);
        statistics.Add(Trace("a", ("x", 1), ("x", 1)), null);
        statistics.Add(Trace("b", ("x", 1), ("x", 0)), null);
        statistics.Add(Trace("c", ("x", 0), ("x", 1)), null);
        statistics.Add(Trace("d", ("x", 0)), null);

        ChainsReport report = statistics.ToReport(hasSelectionScores: false, hasTrueScores: false, TimeSpan.Zero);

        Assert.Equal(2, report.Turns.Count);
        Assert.Equal((0.5, 0.5), (report.Turns[0].CorrectFraction, report.Turns[1].CorrectFraction));
        Assert.Equal((0, 0), (report.Turns[0].RightToWrongCount, report.Turns[0].WrongToRightCount));
        Assert.Equal((1, 1), (report.Turns[1].RightToWrongCount, report.Turns[1].WrongToRightCount));
        Assert.Equal((0.5, 0.5), (report.Turns[1].RightToWrongFraction, report.Turns[1].WrongToRightFraction));
        Assert.Equal(4, report.Turns[1].DraftCount);
    }

    [Fact]
    public void ToReport_AllRightAtFirst_HasNoWrongToRightFraction()
    {
        ChainStatistics statistics = new(correctAt: 1);
        statistics.Add(Trace("a", ("x", 1), ("x", 1)), null);

        TurnReport turn = statistics.ToReport(false, false, TimeSpan.Zero).Turns[1];

        Assert.Null(turn.WrongToRightFraction);
        Assert.Equal(0, turn.RightToWrongFraction);
    }

    [Fact]
    public void ToReport_UnscoredDraft_IsLeftOutOfMeansAndCounted()
    {
        ChainStatistics statistics = new(correctAt: 1);
        statistics.Add(Trace("a", ("x", 4)), null);
        statistics.Add(Trace("b", ("x", null)), null);

        TurnReport turn = statistics.ToReport(false, false, TimeSpan.Zero).Turns[0];

        Assert.Equal((2, 1, 4.0, 1.0), (turn.DraftCount, turn.UnscoredCount, turn.MeanScore, turn.CorrectFraction));
    }

    [Fact]
    public void ToReport_TrueScores_StandBesideTheSelectionScores()
    {
        ChainStatistics statistics = new(correctAt: 1);
        statistics.Add(Trace("a", ("x", 10), ("x", 20)), [new RewardScore(1), new RewardScore(0)]);

        ChainsReport report = statistics.ToReport(hasSelectionScores: true, hasTrueScores: true, TimeSpan.Zero);

        Assert.Equal((1.0, 10.0), (report.Turns[0].MeanScore, report.Turns[0].MeanSelectionScore));
        Assert.Equal((0.0, 20.0), (report.Turns[1].MeanScore, report.Turns[1].MeanSelectionScore));
        Assert.Equal(-1, report.ScoreCorrelation!.Value, 1e-12);
    }

    [Fact]
    public void ToReport_ConstantScores_HaveNoCorrelation()
    {
        ChainStatistics statistics = new(correctAt: 1);
        statistics.Add(Trace("a", ("x", 5), ("x", 5)), [new RewardScore(1), new RewardScore(0)]);

        Assert.Null(statistics.ToReport(true, true, TimeSpan.Zero).ScoreCorrelation);
    }

    // Words a b a | a b: 2 of 5 different. Pairs (a,b) (b,a) | (a,b): 2 of 3 different; no pair spans two drafts.
    [Fact]
    public void ToReport_Words_CountsDistinctOverTheTurn()
    {
        ChainStatistics statistics = new(correctAt: 1);
        statistics.Add(Trace("a", ("a b\na", 1)), null);
        statistics.Add(Trace("b", ("a  b", 1)), null);

        TurnReport turn = statistics.ToReport(false, false, TimeSpan.Zero).Turns[0];

        Assert.Equal(0.4, turn.Distinct1, 1e-12);
        Assert.Equal(2.0 / 3, turn.Distinct2, 1e-12);
        Assert.Equal(4.5, turn.MeanCharacters, 1e-12);
        Assert.Equal(4.5, turn.MeanTokens, 1e-12);
    }

    [Fact]
    public void ToReport_FailedChainWithoutDrafts_CountsAsFailedOnly()
    {
        ChainStatistics statistics = new(correctAt: 1);
        statistics.Add(new RefinementTrace { Id = "a", Prompt = "why?", StopReason = RefinementStopReason.Failed, Error = "out of memory" }, null);

        ChainsReport report = statistics.ToReport(false, false, TimeSpan.Zero);

        Assert.Equal((1, 1), (report.ChainCount, report.FailedCount));
        Assert.Empty(report.Turns);
    }

    [Fact]
    public void ToReport_FeedbackSteps_AreNoTurns()
    {
        ChainStatistics statistics = new(correctAt: 1);
        RefinementTrace trace = Trace("a", ("x", 1), ("better write y", 0), ("y", 1));
        statistics.Add(trace with { Steps = [trace.Steps[0], trace.Steps[1] with { Kind = RefinementStepKind.Feedback }, trace.Steps[2]] }, null);

        Assert.Equal([1.0, 1.0], statistics.ToReport(false, false, TimeSpan.Zero).Turns.Select(turn => turn.CorrectFraction));
    }
}
