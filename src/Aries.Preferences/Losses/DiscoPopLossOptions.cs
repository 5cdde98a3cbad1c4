namespace Aries.Preferences;

/// <summary>Options of <see cref="DiscoPopLoss"/>.</summary>
/// <threadsafety>Not thread safe while it is being changed; the loss copies it.</threadsafety>
public sealed record DiscoPopLossOptions
{
    /// <summary>Gets or sets β, the strength of the pull towards the reference policy.</summary>
    /// <value>Dimensionless; finite and greater than 0. The default is 0.1.</value>
    public double Beta { get; set; } = 0.1;

    /// <summary>Gets or sets τ, the temperature of the blend between the logistic and the exponential loss.</summary>
    /// <value>Dimensionless; greater than 0 and at most 1, above which the loss would grow without bound like an exponential. The default is 0.05, the paper's.</value>
    public double Tau { get; set; } = 0.05;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and its range.</exception>
    public void Validate()
    {
        LossGuard.CheckPositive(Beta, nameof(Beta), "the paper uses 0.05.");
        if (!(Tau > 0 && Tau <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(Tau), Tau, "Tau must be greater than 0 and at most 1; the paper uses 0.05.");
        }
    }
}
