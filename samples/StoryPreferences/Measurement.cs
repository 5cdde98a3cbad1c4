using Aries;

namespace StoryPreferences;

/// <summary>What a model wrote on the held-out prompts.</summary>
/// <param name="Name">The model.</param>
/// <param name="Chains">A chain for each prompt: a direct story, then its refinements.</param>
/// <param name="BaseLogProbabilities">For each that is not empty, the direct story's log-probability by the base model, in nats a token: what the preference costs in other respects.</param>
internal sealed record Measurement(string Name, IReadOnlyList<RefinementTrace> Chains, IReadOnlyList<double> BaseLogProbabilities)
{
    /// <summary>Gets the stories' score in a turn.</summary>
    public Estimate Turn(int turn) => Average([.. Chains.Select(chain => DialogueScorer.Score(Story(chain, turn)))]);

    public Estimate BaseLogProbability => Average(BaseLogProbabilities);

    public static string Story(RefinementTrace chain, int turn) => chain.Drafts.ElementAt(turn).Text;

    private static Estimate Average(IReadOnlyList<double> scores)
    {
        double mean = scores.Average();
        double variance = scores.Sum(score => (score - mean) * (score - mean)) / (scores.Count - 1);
        return new Estimate(mean, Math.Sqrt(variance / scores.Count));
    }
}
