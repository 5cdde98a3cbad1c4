using CsCheck;

namespace Aries.Core.Tests;

public class ScorerTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // The rules of lm-evaluation-harness: strict takes the first number after ####, flexible the last number anywhere.
    [Theory]
    [InlineData("So 3 + 4 = 7.\n#### 7", "7", "7")]
    [InlineData("#### 1,234", "1234", "1234")]
    [InlineData("#### -5.", "-5", "-5")]
    [InlineData("#### 3 and then #### 4", "3", "4")]
    [InlineData("It costs $1,000.50 in all.", null, "1000.50")]
    [InlineData("The answer is 18.", null, "18")]
    [InlineData("####7", null, "7")]
    [InlineData("7 eggs", null, "7")]
    [InlineData("no number", null, null)]
    [InlineData("", null, null)]
    [InlineData("wait...", null, "..")]
    public void Extract_Gsm8kText_FollowsTheRules(string text, string? strict, string? flexible)
    {
        Assert.Equal(strict, Gsm8kAnswerExtractor.Strict.Extract(text));
        Assert.Equal(flexible, Gsm8kAnswerExtractor.Flexible.Extract(text));
    }

    [Fact]
    public void Extract_AnyText_DoesNotThrowAndHasNoSeparators() => JsonlGenerators.Text.Sample(text =>
    {
        string? answer = Gsm8kAnswerExtractor.Flexible.Extract(text);

        Assert.False(answer?.Contains(',', StringComparison.Ordinal) ?? false);
        Assert.False(answer?.Contains('$', StringComparison.Ordinal) ?? false);
    });

    [Fact]
    public async Task ExactMatchScorer_Gsm8k_ScoresRightWrongAndUnreadable()
    {
        ExactMatchScorer scorer = ExactMatchScorer.ForGsm8k([new PromptRecord("Q", "2 + 2 = 4\n#### 1,004")]);

        IReadOnlyList<RewardScore> scores = await scorer.ScoreAsync([new("Q", "It is 1004."), new("Q", "It is 5."), new("Q", "I do not know"), new("other", "4")], Token);

        Assert.Equal([1, 0, 0], scores.Take(3).Select(score => score.Value));
        Assert.NotNull(scores[2].Diagnostic);
        Assert.False(scores[3].IsValid);
    }

    [Fact]
    public async Task ExactMatchScorer_Extractor_IsUsed()
    {
        ExactMatchScorer scorer = ExactMatchScorer.ForGsm8k([new PromptRecord("Q", "#### 4")], Gsm8kAnswerExtractor.Strict);

        Assert.Equal(0, (await scorer.ScoreAsync("Q", "It is 4.", Token)).Value);
        Assert.Equal(1, (await scorer.ScoreAsync("Q", "#### 4", Token)).Value);
    }

    [Fact]
    public void ForGsm8k_AnswerWithoutNumberOrContradiction_Throws()
    {
        Assert.Throws<ArgumentException>(() => ExactMatchScorer.ForGsm8k([new PromptRecord("Q", "four")]));
        Assert.Throws<ArgumentException>(() => ExactMatchScorer.ForGsm8k([new PromptRecord("Q")]));
        Assert.Throws<ArgumentException>(() => ExactMatchScorer.ForGsm8k([new PromptRecord("Q", "#### 1"), new PromptRecord("Q", "#### 2")]));
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public async Task DelegateRewardScorer_NoFiniteNumber_NamesScorerAndResponse(double value)
    {
        DelegateRewardScorer scorer = new((_, _) => value, "my rule");

        ScoringException exception = await Assert.ThrowsAsync<ScoringException>(() => scorer.ScoreAsync("Q", "the response", Token));

        Assert.Contains("my rule", exception.Message, StringComparison.Ordinal);
        Assert.Contains("the response", exception.Message, StringComparison.Ordinal);
        Assert.Equal(value, exception.ActualScore);
    }

    [Fact]
    public async Task DelegateRewardScorer_Batch_IsPassedWhole()
    {
        int calls = 0;
        DelegateRewardScorer scorer = new((requests, _) =>
        {
            calls++;
            return Task.FromResult<IReadOnlyList<RewardScore>>([.. requests.Select(request => new RewardScore(request.Response.Length))]);
        });

        IReadOnlyList<RewardScore> scores = await scorer.ScoreAsync([new("Q", "a"), new("Q", "bcd")], Token);

        Assert.Equal([1, 3], scores.Select(score => score.Value));
        Assert.Equal(1, calls);
    }

    [Fact]
    public async Task DelegateRewardScorer_TooFewScores_Throws()
    {
        DelegateRewardScorer scorer = new((_, _) => Task.FromResult<IReadOnlyList<RewardScore>>([]), "service");

        ScoringException exception = await Assert.ThrowsAsync<ScoringException>(() => scorer.ScoreAsync([new("Q", "a"), new("Q", "b")], Token));

        Assert.Equal((2, 0), (exception.ExpectedCount, exception.ActualCount));
    }

    [Fact]
    public async Task ScoreCheckedAsync_NoRequests_DoesNotCallTheScorer()
    {
        DelegateRewardScorer scorer = new((Prompt _, string _) => throw new InvalidOperationException("called"));

        Assert.Empty(await scorer.ScoreCheckedAsync([], Token));
    }
}
