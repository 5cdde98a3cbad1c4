using System.Globalization;
using Aries;

namespace QuickStart;

/// <summary>Checks answers to word problems by computing them.</summary>
/// <param name="problems">The problems whose questions may be asked.</param>
/// <param name="countWorkings">
/// False: 1 when the number before the colon is right, else 0. True: half a point more for right running totals, so that chains without a right answer still rank.
/// </param>
internal sealed class WordProblemScorer(IEnumerable<WordProblem> problems, bool countWorkings) : IRewardScorer
{
    private readonly Dictionary<string, WordProblem> _problems = problems.ToDictionary(problem => problem.Question);

    /// <summary>Gets z: the question, the draft as it was written, and the word that asks for a better one.</summary>
    public static RefinementTemplate Template { get; } = new("{question}{response} Better?");

    /// <summary>Returns the number before the colon: what a reader reads first.</summary>
    public static string? ExtractAnswer(string response)
    {
        string head = response.Split(':')[0].Trim();
        return int.TryParse(head, NumberStyles.None, CultureInfo.InvariantCulture, out _) ? head : null;
    }

    /// <summary>Returns whether a response says the right number.</summary>
    public static bool IsRight(WordProblem problem, string response) =>
        ExtractAnswer(response) == problem.Totals[^1].ToString(CultureInfo.InvariantCulture);

    public Task<IReadOnlyList<RewardScore>> ScoreAsync(IReadOnlyList<ScoringRequest> requests, CancellationToken cancellationToken = default) =>
        Task.FromResult<IReadOnlyList<RewardScore>>([.. requests.Select(request => new RewardScore(Score(_problems[request.Prompt.Question], request.Response)))]);

    public override string ToString() => $"{nameof(WordProblemScorer)} {{ CountWorkings = {countWorkings} }}";

    private double Score(WordProblem problem, string response)
    {
        IReadOnlyList<int> totals = problem.Totals;
        double score = IsRight(problem, response) ? 1 : 0;
        if (!countWorkings)
        {
            return score;
        }

        string[] parts = response.Split(':', 2);
        string[] written = parts.Length < 2 ? [] : parts[1].Split(',', StringSplitOptions.TrimEntries);
        int right = totals.Where((total, index) => index < written.Length && written[index] == total.ToString(CultureInfo.InvariantCulture)).Count();
        double workings = 0.5 * right / totals.Count;
        return score + (written.Length == totals.Count ? workings : workings / 2);
    }
}
