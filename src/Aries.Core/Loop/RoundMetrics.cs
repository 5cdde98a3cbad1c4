namespace Aries;

/// <summary>A round's numbers under flat names, as the round's line of <c>metrics.jsonl</c> and tools that plot it want them.</summary>
internal static class RoundMetrics
{
    public static IEnumerable<(string Name, double Value)> Of(RoundReport report)
    {
        IEnumerable<(string, double?)> metrics =
        [
            .. OfChains("collection", report.Collection),
            .. OfPairs(report.Pairs),
            .. OfTraining("warm_up", report.WarmUp),
            .. OfTraining("training", report.Training),
            .. OfChains("evaluation", report.Evaluation),
            .. OfChains("evaluation_greedy", report.GreedyEvaluation),
            ("generated_tokens", report.GeneratedTokenCount),
            ("duration_seconds", report.Duration.TotalSeconds),
        ];
        return metrics.Where(metric => metric.Item2 is not null).Select(metric => (metric.Item1, metric.Item2!.Value));
    }

    private static IEnumerable<(string, double?)> OfChains(string prefix, ChainsReport? chains)
    {
        if (chains is null)
        {
            yield break;
        }

        yield return ($"{prefix}/chains", chains.ChainCount);
        yield return ($"{prefix}/failed", chains.FailedCount);
        yield return ($"{prefix}/score_correlation", chains.ScoreCorrelation);
        foreach (TurnReport turn in chains.Turns)
        {
            string name = $"{prefix}/turn_{turn.Turn}";
            yield return ($"{name}/score", turn.MeanScore);
            yield return ($"{name}/selection_score", turn.MeanSelectionScore);
            yield return ($"{name}/correct", turn.CorrectFraction);
            yield return ($"{name}/right_to_wrong", turn.RightToWrongFraction);
            yield return ($"{name}/wrong_to_right", turn.WrongToRightFraction);
            yield return ($"{name}/characters", turn.MeanCharacters);
            yield return ($"{name}/tokens", turn.MeanTokens);
            yield return ($"{name}/distinct_1", turn.Distinct1);
            yield return ($"{name}/distinct_2", turn.Distinct2);
        }
    }

    private static IEnumerable<(string, double?)> OfPairs(PairsReport? pairs)
    {
        if (pairs is null)
        {
            yield break;
        }

        yield return ("pairs/kept", pairs.KeptCount);
        yield return ("pairs/right", pairs.RightCount);
        yield return ("pairs/wrong", pairs.WrongCount);
        yield return ("pairs/equal", pairs.EqualCount);
        foreach ((string reason, int count) in pairs.Drops.OrderBy(drop => drop.Key, StringComparer.Ordinal))
        {
            yield return ($"pairs/dropped/{reason}", count);
        }
    }

    private static IEnumerable<(string, double?)> OfTraining(string prefix, TrainingReport? training)
    {
        if (training is null)
        {
            yield break;
        }

        yield return ($"{prefix}/steps", training.StepCount);
        yield return ($"{prefix}/dropped_rows", training.DroppedRowCount);
        foreach ((string name, double value) in training.Metrics.OrderBy(metric => metric.Key, StringComparer.Ordinal))
        {
            yield return ($"{prefix}/{name}", value);
        }
    }
}
