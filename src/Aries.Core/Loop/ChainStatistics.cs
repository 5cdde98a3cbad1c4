namespace Aries;

/// <summary>Adds up the chains of a collection or an evaluation, turn by turn.</summary>
internal sealed class ChainStatistics(double correctAt)
{
    private readonly List<Draft[]> _chains = [];
    private int _chainCount;
    private int _failedCount;
    private TokenUsage _usage;

    public int ChainCount => _chainCount;

    public int FailedCount => _failedCount;

    /// <summary>Adds a chain.</summary>
    /// <param name="trace">The chain.</param>
    /// <param name="trueScores">The true score of each draft, or null where the chain's own scores are the true ones.</param>
    public void Add(RefinementTrace trace, IReadOnlyList<RewardScore>? trueScores)
    {
        _chainCount++;
        _failedCount += trace.StopReason == RefinementStopReason.Failed ? 1 : 0;
        _usage += trace.Usage;
        Draft[] drafts = [.. trace.Drafts.Select((step, i) => new Draft(step, ValueOf(trueScores is null ? step.Score : trueScores[i]), ValueOf(step.Score)))];
        if (drafts.Length > 0)
        {
            _chains.Add(drafts);
        }
    }

    /// <summary>Makes the report.</summary>
    /// <param name="hasSelectionScores">Whether the chains' own scores are those that pairs are selected with.</param>
    /// <param name="hasTrueScores">Whether other scores than the chains' own were given.</param>
    /// <param name="duration">How long it took.</param>
    public ChainsReport ToReport(bool hasSelectionScores, bool hasTrueScores, TimeSpan duration)
    {
        int turnCount = _chains.Count == 0 ? 0 : _chains.Max(drafts => drafts.Length);
        return new ChainsReport
        {
            ChainCount = _chainCount,
            FailedCount = _failedCount,
            Turns = [.. Enumerable.Range(0, turnCount).Select(turn => ReportTurn(turn, hasSelectionScores))],
            Usage = _usage,
            ScoreCorrelation = hasSelectionScores && hasTrueScores ? Correlate() : null,
            Duration = duration,
        };
    }

    private static double? ValueOf(RewardScore? score) => score is { IsValid: true } valid ? valid.Value : null;

    private TurnReport ReportTurn(int turn, bool hasSelectionScores)
    {
        Draft[] drafts = [.. _chains.Select(chain => chain[Math.Min(turn, chain.Length - 1)])];
        int right = 0, wrong = 0, rightToWrong = 0, wrongToRight = 0;
        for (int i = 0; i < drafts.Length; i++)
        {
            if (_chains[i][0].TrueScore is { } first && drafts[i].TrueScore is { } now)
            {
                right += first >= correctAt ? 1 : 0;
                wrong += first >= correctAt ? 0 : 1;
                rightToWrong += first >= correctAt && now < correctAt ? 1 : 0;
                wrongToRight += first < correctAt && now >= correctAt ? 1 : 0;
            }
        }

        double[] scores = [.. drafts.Where(draft => draft.TrueScore is not null).Select(draft => draft.TrueScore!.Value)];
        (double distinct1, double distinct2) = CountDistinct(drafts);
        return new TurnReport
        {
            Turn = turn + 1,
            DraftCount = drafts.Length,
            UnscoredCount = drafts.Length - scores.Length,
            TruncatedCount = drafts.Count(draft => draft.Step.FinishReason == FinishReason.Length),
            MeanScore = Mean(scores),
            MeanSelectionScore = hasSelectionScores
                ? Mean([.. drafts.Where(draft => draft.SelectionScore is not null).Select(draft => draft.SelectionScore!.Value)])
                : null,
            CorrectFraction = Fraction(scores.Count(score => score >= correctAt), scores.Length),
            RightToWrongCount = rightToWrong,
            WrongToRightCount = wrongToRight,
            RightToWrongFraction = Fraction(rightToWrong, right),
            WrongToRightFraction = Fraction(wrongToRight, wrong),
            MeanCharacters = drafts.Average(draft => draft.Step.Text.Length),
            MeanTokens = drafts.Average(draft => (double)draft.Step.Usage.ResponseTokens),
            Distinct1 = distinct1,
            Distinct2 = distinct2,
        };
    }

    // Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models", section 5, over all drafts of the turn.
    private static (double Distinct1, double Distinct2) CountDistinct(Draft[] drafts)
    {
        HashSet<string> words = [];
        HashSet<(string, string)> pairs = [];
        long wordCount = 0, pairCount = 0;
        foreach (Draft draft in drafts)
        {
            string[] split = draft.Step.Text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            wordCount += split.Length;
            pairCount += Math.Max(split.Length - 1, 0);
            words.UnionWith(split);
            pairs.UnionWith(split.Zip(split.Skip(1)));
        }

        return (Fraction(words.Count, wordCount) ?? 0, Fraction(pairs.Count, pairCount) ?? 0);
    }

    private double? Correlate()
    {
        (double X, double Y)[] points =
        [
            .. _chains.SelectMany(chain => chain)
                .Where(draft => draft.SelectionScore is not null && draft.TrueScore is not null)
                .Select(draft => (draft.SelectionScore!.Value, draft.TrueScore!.Value)),
        ];
        if (points.Length < 2)
        {
            return null;
        }

        double meanX = points.Average(point => point.X);
        double meanY = points.Average(point => point.Y);
        double covariance = points.Sum(point => (point.X - meanX) * (point.Y - meanY));
        double varianceX = points.Sum(point => (point.X - meanX) * (point.X - meanX));
        double varianceY = points.Sum(point => (point.Y - meanY) * (point.Y - meanY));
        return varianceX > 0 && varianceY > 0 ? Math.Clamp(covariance / Math.Sqrt(varianceX * varianceY), -1, 1) : null;
    }

    private static double? Mean(double[] values) => values.Length == 0 ? null : values.Average();

    private static double? Fraction(long count, long total) => total == 0 ? null : (double)count / total;

    private readonly record struct Draft(TraceStep Step, double? TrueScore, double? SelectionScore);
}
