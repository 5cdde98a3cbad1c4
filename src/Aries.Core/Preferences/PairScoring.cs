namespace Aries;

/// <summary>What the selectors share.</summary>
internal static class PairScoring
{
    /// <summary>Returns the soft label p̂ = σ(margin / τ), or 1 without a temperature.</summary>
    /// <remarks>Bradley and Terry 1952, with rewards in units of τ. It never falls to 0: margins are not negative.</remarks>
    public static double LabelOf(double margin, double? temperature) => temperature is { } tau ? 1 / (1 + Math.Exp(-margin / tau)) : 1;

    public static void ValidateTemperature(double? temperature, string name)
    {
        if (temperature is { } tau && !(tau > 0 && double.IsFinite(tau)))
        {
            throw new ArgumentOutOfRangeException(name, tau, $"{name} must be finite and greater than 0; null gives hard labels.");
        }
    }

    public static PairSelection Drop(string reason) => new([], [reason]);

    public static double? ScoreOf(TraceStep step) => step.Score is { IsValid: true } score ? score.Value : null;
}
