using System.Globalization;
using CsCheck;

namespace Aries.Core.Tests;

public class SelectionTests
{
    private static readonly Gen<RefinementTrace> ScoredTrace =
        Gen.Select(Gen.Int[0, 5], Gen.Nullable(Gen.Int[-3, 3])).Array[0, 7].Select(drafts => Trace([.. drafts.Select(draft => ($"t{draft.Item1}", (double?)draft.Item2))]));

    [Fact]
    public void RewardModelSelection_AnyTrace_PairsTheBestWithTheWorst() => ScoredTrace.Sample(trace =>
    {
        PairSelection selection = new RewardModelSelection().SelectPairs(trace);

        double[] scores = [.. trace.Drafts.Where(draft => draft.Score is not null).Select(draft => draft.Score!.Value.Value)];
        Assert.Equal(1, selection.Pairs.Count + selection.Drops.Count);
        if (selection.Pairs.Count == 1)
        {
            PreferencePair pair = selection.Pairs[0];
            Assert.Equal((scores.Max(), scores.Min()), (pair.ChosenScore, pair.RejectedScore));
            Assert.NotEqual(pair.Chosen, pair.Rejected);
            Assert.Equal(1, pair.ChosenProbability);
            Assert.Equal((trace.Prompt, trace.Id), (pair.Prompt, pair.TraceId));
        }
    });

    [Fact]
    public void RewardModelSelection_Ties_ChoosesTheLatestAndRejectsTheEarliest()
    {
        PreferencePair pair = Pair(new RewardModelSelection(), ("a", 1), ("b", 5), ("c", 1), ("d", 5), ("e", 3));

        Assert.Equal(("d", "a"), (pair.Chosen, pair.Rejected));
    }

    [Theory]
    [InlineData(0, 1, null)]
    [InlineData(2, 1, PairDropReasons.Margin)]
    [InlineData(2, 2, null)]
    [InlineData(0, 0, PairDropReasons.Margin)]
    public void MinimumMargin_ScoresDifferByLess_Drops(double least, double margin, string? reason) =>
        Assert.Equal(reason, Reason(new RewardModelSelection(new() { MinimumMargin = least }), ("a", 0), ("b", margin)));

    [Fact]
    public void RewardModelSelection_Drops_NameTheirReason()
    {
        RewardModelSelection selector = new();

        Assert.Equal(PairDropReasons.TooFewDrafts, Reason(selector, ("a", 1)));
        Assert.Equal(PairDropReasons.TooFewDrafts, Reason(selector));
        Assert.Equal(PairDropReasons.NotScored, Reason(selector, ("a", 1), ("b", null)));
        Assert.Equal(PairDropReasons.Equal, Reason(selector, ("a", 1), ("a", 2)));
        Assert.Equal([PairDropReasons.TooFewDrafts], selector.SelectPairs(Trace(("a", 1), ("b", 2)) with { StopReason = RefinementStopReason.Failed }).Drops);
    }

    [Fact]
    public void RewardModelSelection_Remarks_AreNoDrafts()
    {
        RefinementTrace trace = Trace(("a", 1), ("b", 2));
        trace = trace with { Steps = [trace.Steps[0], new TraceStep { Text = "remark", Kind = RefinementStepKind.Feedback, Score = new RewardScore(99) }, trace.Steps[1]] };

        Assert.Equal("b", Assert.Single(new RewardModelSelection().SelectPairs(trace).Pairs).Chosen);
    }

    // σ(2 / 0.5) = 1 / (1 + e⁻⁴) = 0.98201379; σ(2 / 4) = 0.62245933.
    [Theory]
    [InlineData(null, 1)]
    [InlineData(0.5, 0.98201379)]
    [InlineData(4.0, 0.62245933)]
    [InlineData(1e-300, 1)]
    public void SoftLabelTemperature_Margin_GivesTheLabel(double? temperature, double expected) =>
        Assert.Equal(expected, Pair(new RewardModelSelection(new() { SoftLabelTemperature = temperature }), ("a", 1), ("b", 3)).ChosenProbability, 1e-8);

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    public void SoftLabelTemperature_OutOfRange_Throws(double temperature) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new RewardModelSelection(new() { SoftLabelTemperature = temperature }));

    [Theory]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    public void MinimumMargin_OutOfRange_Throws(double margin) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new RewardModelSelection(new() { MinimumMargin = margin }));

    [Fact]
    public void RuleBasedSelection_Chain_PairsTheLastWithTheFirst()
    {
        PreferencePair pair = Pair(new RuleBasedSelection(), ("a", null), ("b", null), ("c", null));

        Assert.Equal(("c", "a"), (pair.Chosen, pair.Rejected));
        Assert.Null(pair.ChosenScore);
    }

    [Theory]
    [InlineData(1.0, 2.0, null)]
    [InlineData(2.0, 2.0, PairDropReasons.Disagreement)]
    [InlineData(3.0, 2.0, PairDropReasons.Disagreement)]
    [InlineData(null, 2.0, PairDropReasons.NotScored)]
    public void RequireAgreement_Scores_DropsWhatTheScorerDoesNotSee(double? first, double? last, string? reason)
    {
        Assert.Equal(reason, Reason(new RuleBasedSelection(requireAgreement: true), ("a", first), ("b", last)));
        Assert.Null(Reason(new RuleBasedSelection(), ("a", first), ("b", last)));
    }

    [Fact]
    public void RuleBasedSelection_Drops_NameTheirReason()
    {
        Assert.Equal(PairDropReasons.Equal, Reason(new RuleBasedSelection(), ("a", null), ("b", null), ("a", null)));
        Assert.Equal(PairDropReasons.TooFewDrafts, Reason(new RuleBasedSelection(), ("a", null)));
    }

    [Fact]
    public void FilteredSelection_EachFilter_DropsWithItsReasonAndOnlyIfSet()
    {
        Check(new() { DropEmpty = false }, new(), PairDropReasons.Empty, Step("a"), Step(" \n"));
        Check(new() { DropEqual = false }, new(), PairDropReasons.Equal, Step("a"), Step("a"));
        Check(new(), new() { DropTruncated = true }, PairDropReasons.Truncated, Step("a"), Step("b", finish: FinishReason.Length));
        Check(new(), new() { MaxCharacters = 3 }, PairDropReasons.TooLong, Step("abc"), Step("abcd"));
        Check(new() { MaxCharacters = 4 }, new() { MaxCharacters = 3 }, PairDropReasons.TooLong, Step("abcd"), Step("abc"));
        Check(new() { MaxTokens = 5 }, new() { MaxTokens = 4 }, PairDropReasons.TooLong, Step("a", tokens: 5), Step("b", tokens: 1));
        Check(new() { MinimumMargin = 1 }, new() { MinimumMargin = 1.1 }, PairDropReasons.Margin, Step("a", 1), Step("b", 2));
        Check(new(), new() { MinimumMargin = 1 }, PairDropReasons.NotScored, Step("a"), Step("b", 2));
        Check(new() { MinimumDistance = 0.1 }, new() { MinimumDistance = 0.11 }, PairDropReasons.NearEqual, Step("0123456789"), Step("012345678x"));

        static void Check(PairFilterOptions keeps, PairFilterOptions drops, string reason, params TraceStep[] steps)
        {
            RefinementTrace trace = new() { Id = "a", Prompt = "Q", Steps = steps };

            Assert.Single(new FilteredSelection(new FirstAndLast(), keeps).SelectPairs(trace).Pairs);
            PairSelection dropped = new FilteredSelection(new FirstAndLast(), drops).SelectPairs(trace);
            Assert.Empty(dropped.Pairs);
            Assert.Equal([reason], dropped.Drops);
        }
    }

    [Fact]
    public void FilteredSelection_InnerDrops_AreKept()
    {
        PairSelection selection = new FilteredSelection(new RewardModelSelection()).SelectPairs(Trace(("a", 1)));

        Assert.Equal([PairDropReasons.TooFewDrafts], selection.Drops);
    }

    [Fact]
    public void MaxTokens_NoUsage_IsNotSupported() => Assert.Throws<NotSupportedException>(
        () => new FilteredSelection(new FirstAndLast(), new() { MaxTokens = 5 }).SelectPairs(Trace(("a", 1), ("b", 2))));

    [Fact]
    public void PairFilterOptions_OutOfRange_NamesTheOption()
    {
        Assert.Equal("MinimumMargin", Throws(new() { MinimumMargin = 0 }));
        Assert.Equal("MinimumDistance", Throws(new() { MinimumDistance = 1.1 }));
        Assert.Equal("MinimumDistance", Throws(new() { MinimumDistance = double.NaN }));
        Assert.Equal("MaxCharacters", Throws(new() { MaxCharacters = 0 }));
        Assert.Equal("MaxTokens", Throws(new() { MaxTokens = 0 }));

        static string? Throws(PairFilterOptions options) =>
            Assert.Throws<ArgumentOutOfRangeException>(() => new FilteredSelection(new FirstAndLast(), options)).ParamName;
    }

    [Fact]
    public void ToString_TwoSettings_Differ()
    {
        string[] texts =
        [
            new RewardModelSelection().ToString(), new RewardModelSelection(new() { MinimumMargin = 0.5 }).ToString(),
            new RewardModelSelection(new() { SoftLabelTemperature = 0.5 }).ToString(), new RuleBasedSelection().ToString(), new RuleBasedSelection(true).ToString(),
            new FilteredSelection(new RuleBasedSelection()).ToString(), new FilteredSelection(new RuleBasedSelection(), new() { MinimumDistance = 0.1 }).ToString(),
        ];

        Assert.Equal(texts.Length, texts.Distinct().Count());
    }

    // A run's folder holds these texts, and must be the same on every machine.
    [Fact]
    public void ToString_CultureWithDecimalComma_IsTheSame()
    {
        FilteredSelection selector = new(new RewardModelSelection(new() { MinimumMargin = 0.5, SoftLabelTemperature = 1.5 }), new() { MinimumDistance = 0.25 });
        string expected = selector.ToString();
        CultureInfo before = CultureInfo.CurrentCulture;
        CultureInfo comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        comma.NumberFormat.NumberDecimalSeparator = ",";
        string actual;
        try
        {
            CultureInfo.CurrentCulture = comma;
            actual = selector.ToString();
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }

        Assert.Equal(expected, actual);
        Assert.Contains("0.25", actual, StringComparison.Ordinal);
    }

    private static string? Reason(IPreferencePairSelector selector, params (string Text, double? Score)[] drafts) =>
        selector.SelectPairs(Trace(drafts)).Drops.SingleOrDefault();

    private static PreferencePair Pair(IPreferencePairSelector selector, params (string Text, double? Score)[] drafts) =>
        Assert.Single(selector.SelectPairs(Trace(drafts)).Pairs);

    private static RefinementTrace Trace(params (string Text, double? Score)[] drafts) =>
        new() { Id = "trace", Prompt = "Q", Steps = [.. drafts.Select(draft => Step(draft.Text, draft.Score))] };

    private static TraceStep Step(string text, double? score = null, int tokens = 0, FinishReason finish = FinishReason.Stop) => new()
    {
        Text = text,
        Score = score is { } value ? new RewardScore(value) : null,
        Usage = new TokenUsage(0, tokens),
        FinishReason = finish,
    };

    private sealed class FirstAndLast : IPreferencePairSelector
    {
        public bool NeedsScores => false;

        public PairSelection SelectPairs(RefinementTrace trace)
        {
            (TraceStep first, TraceStep last) = (trace.Steps[0], trace.Steps[^1]);
            return new PairSelection([new PreferencePair { Prompt = trace.Prompt, Chosen = last.Text, Rejected = first.Text, ChosenScore = last.Score?.Value, RejectedScore = first.Score?.Value }], []);
        }
    }
}
