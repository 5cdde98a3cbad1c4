namespace Aries.EndToEnd.Tests.Snippets;

/// <summary>The code of docs/concepts/refinement.md.</summary>
internal static class Comparing
{
    public static async Task<IReadOnlyList<(string Name, double Score, long Tokens)>> CompareAsync(
        IPolicyModel policy, IRewardScorer scorer, IAnswerExtractor extractor, IReadOnlyList<Prompt> prompts)
    {
        List<(string Name, double Score, long Tokens)> rows = [];
        #region compare
        SamplingOptions sampling = new() { Temperature = 0.7f, MaxTokens = 64, Seed = 1 };
        SelfRefinerOptions options = new() { Sampling = sampling, StopWhenUnchanged = false };
        (string Name, SelfRefiner Refiner)[] methods =
        [
            ("direct", Baselines.Direct(policy, sampling)),
            ("refined", new SelfRefiner(policy, new AriesRefinement(turnCount: 4), options)),
            ("vote of 4", Baselines.MajorityVote(policy, 4, extractor, sampling)),
            ("best of 4", Baselines.BestOf(policy, 4, scorer, sampling)), // sees the scores that it is judged by: an upper bound
        ];
        foreach ((string name, SelfRefiner refiner) in methods)
        {
            IReadOnlyList<RefinementResult> results = await refiner.RefineAsync(prompts);
            IReadOnlyList<RewardScore> scores = await scorer.ScoreCheckedAsync(
                [.. results.Select((result, index) => new ScoringRequest(prompts[index], result.Answer ?? ""))]);
            rows.Add((name, scores.Where(score => score.IsValid).Average(score => score.Value), results.Sum(result => result.Usage.ResponseTokens)));
        }
        #endregion
        return rows;
    }
}
