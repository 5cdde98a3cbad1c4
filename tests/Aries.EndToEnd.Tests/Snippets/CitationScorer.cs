using System.Text.RegularExpressions;

namespace Aries.EndToEnd.Tests.Snippets;

#region own-scorer
/// <summary>Prefers answers that cite sources, "[1]", and says why an empty one has no score.</summary>
public sealed partial class CitationScorer : IRewardScorer
{
    public Task<IReadOnlyList<RewardScore>> ScoreAsync(IReadOnlyList<ScoringRequest> requests, CancellationToken cancellationToken = default) =>
        Task.FromResult<IReadOnlyList<RewardScore>>([.. requests.Select(request => Score(request.Response))]);

    private static RewardScore Score(string response) => string.IsNullOrWhiteSpace(response)
        ? RewardScore.Invalid("the answer is empty")
        : new RewardScore(Math.Min(3, Citation().Count(response)));

    [GeneratedRegex(@"\[\d+\]")]
    private static partial Regex Citation();
}
#endregion
