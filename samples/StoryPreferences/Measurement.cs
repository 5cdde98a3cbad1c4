using System.Globalization;
using Aries;

namespace StoryPreferences;

/// <summary>What a model wrote on the held-out prompts.</summary>
internal sealed record Measurement(string Name, IReadOnlyList<RefinementTrace> Chains)
{
    /// <summary>Gets the scores of a turn: its mean and the mean's standard error.</summary>
    public TurnScore Turn(int turn)
    {
        double[] scores = [.. Chains.Select(chain => DialogueScorer.Score(Story(chain, turn)))];
        double mean = scores.Average();
        double variance = scores.Sum(score => (score - mean) * (score - mean)) / Math.Max(1, scores.Length - 1);
        return new TurnScore(mean, Math.Sqrt(variance / scores.Length));
    }

    public static string Story(RefinementTrace chain, int turn) => chain.Drafts.ElementAt(turn).Text;
}

/// <summary>A mean over prompts, with its standard error.</summary>
internal readonly record struct TurnScore(double Mean, double StandardError)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Mean:F3} ± {StandardError:F3}");
}
