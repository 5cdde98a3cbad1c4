namespace Aries.Preferences;

/// <summary>Options of <see cref="SimPoLoss"/>.</summary>
/// <threadsafety>Not thread safe while it is being changed; the loss copies it.</threadsafety>
public sealed record SimPoLossOptions
{
    /// <summary>Gets or sets β, the scale of the averaged log-probabilities.</summary>
    /// <value>Dimensionless; finite and greater than 0. The default is 2; the paper uses 2 to 2.5.</value>
    public double Beta { get; set; } = 2;

    /// <summary>Gets or sets γ/β, the margin that the averaged log-probabilities must reach.</summary>
    /// <value>Nats per token; finite and at least 0. The default is 0.5, γ = 1 at the default β.</value>
    public double GammaBetaRatio { get; set; } = 0.5;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and its range.</exception>
    public void Validate()
    {
        LossGuard.CheckPositive(Beta, nameof(Beta), "SimPO typically uses 2 to 2.5.");
        if (!(GammaBetaRatio >= 0 && double.IsFinite(GammaBetaRatio)))
        {
            throw new ArgumentOutOfRangeException(nameof(GammaBetaRatio), GammaBetaRatio, "GammaBetaRatio must be finite and at least 0; SimPO typically uses 0.2 to 0.8.");
        }
    }
}
