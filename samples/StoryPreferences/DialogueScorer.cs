using Aries;

namespace StoryPreferences;

/// <summary>The preference: stories in which somebody speaks. Three times the share of words in closed quotation marks, but at most 1.</summary>
/// <remarks>So nothing is gained when more than a third of the words is speech. A rule this simple can be pleased by bad stories: look at them, not only at the score.</remarks>
internal sealed class DialogueScorer : IRewardScorer
{
    public Task<IReadOnlyList<RewardScore>> ScoreAsync(IReadOnlyList<ScoringRequest> requests, CancellationToken cancellationToken = default) =>
        Task.FromResult<IReadOnlyList<RewardScore>>([.. requests.Select(request => new RewardScore(Score(request.Response)))]);

    public static double Score(string story)
    {
        // Text outside and inside of quotation marks takes turns; what follows the last mark is not closed.
        string[] parts = story.Split('"');
        int spoken = parts[..^1].Where((_, index) => index % 2 == 1).Sum(CountWords);
        int all = parts.Sum(CountWords);
        return all == 0 ? 0 : Math.Min(1, 3.0 * spoken / all);
    }

    private static int CountWords(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
}
