namespace Aries;

/// <summary>The true scores of some chains' drafts and pairs.</summary>
internal sealed class TrueScores
{
    private readonly RefinementTrace[] _traces;
    private readonly Dictionary<(int Chain, string Response), RewardScore> _scores;

    private TrueScores(RefinementTrace[] traces, Dictionary<(int, string), RewardScore> scores) => (_traces, _scores) = (traces, scores);

    /// <summary>Scores each different response of each chain once.</summary>
    public static async Task<TrueScores> GetAsync(
        IRewardScorer scorer, RefinementTrace[] traces, PairSelection[] selections, CancellationToken cancellationToken)
    {
        (int Chain, string Response)[] keys =
        [
            .. traces.SelectMany((trace, chain) => trace.Drafts.Select(draft => (chain, draft.Text)))
                .Concat(selections.SelectMany((selection, chain) => selection.Pairs.SelectMany(pair => new[] { (chain, pair.Chosen), (chain, pair.Rejected) })))
                .Distinct(),
        ];
        IReadOnlyList<RewardScore> scores = await scorer.ScoreCheckedAsync(
            [.. keys.Select(key => new ScoringRequest(traces[key.Chain].Prompt, key.Response))], cancellationToken).ConfigureAwait(false);
        return new TrueScores(traces, keys.Zip(scores).ToDictionary(item => item.First, item => item.Second));
    }

    public IReadOnlyList<RewardScore> OfDrafts(int chain) => [.. _traces[chain].Drafts.Select(draft => _scores[(chain, draft.Text)])];

    public double? Of(int chain, string response) => _scores[(chain, response)] is { IsValid: true } score ? score.Value : null;
}
