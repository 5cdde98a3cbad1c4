using Aries;

namespace QuickStart;

/// <summary>Ranks answers that are all wrong: 1 for the right number, and up to half a point for words shared with the reference solution.</summary>
/// <param name="exact">Says whether the number is right.</param>
/// <param name="records">The questions with their solutions, in GSM8K's form.</param>
/// <remarks>The share is F1 over words, counted as often as they stand: the harmonic mean of the shares of the answer's and of the solution's words that the other has too.</remarks>
internal sealed class SolutionOverlapScorer(IRewardScorer exact, IEnumerable<PromptRecord> records) : IRewardScorer
{
    private readonly Dictionary<Prompt, string[]> _solutions = records.DistinctBy(record => record.Prompt).ToDictionary(record => record.Prompt, record => Words(record.Answer ?? ""));

    public async Task<IReadOnlyList<RewardScore>> ScoreAsync(IReadOnlyList<ScoringRequest> requests, CancellationToken cancellationToken = default)
    {
        IReadOnlyList<RewardScore> scores = await exact.ScoreAsync(requests, cancellationToken);
        return [.. requests.Zip(scores, (request, score) => new RewardScore(score.Value + (0.5 * Overlap(Words(request.Response), _solutions[request.Prompt])), score.Diagnostic))];
    }

    /// <summary>Returns the name and the inner scorer's.</summary>
    public override string ToString() => $"{nameof(SolutionOverlapScorer)} {{ Exact = {exact} }}";

    private static double Overlap(string[] answer, string[] solution)
    {
        Dictionary<string, int> counts = solution.CountBy(word => word).ToDictionary();
        int shared = answer.CountBy(word => word).Sum(word => Math.Min(word.Value, counts.GetValueOrDefault(word.Key)));
        return shared == 0 ? 0 : 2.0 * shared / (answer.Length + solution.Length);
    }

    // Letters and digits; everything else parts words, GSM8K's << >> and #### too.
    private static string[] Words(string text) =>
        new string([.. text.Select(character => char.IsLetterOrDigit(character) ? char.ToLowerInvariant(character) : ' ')]).Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
