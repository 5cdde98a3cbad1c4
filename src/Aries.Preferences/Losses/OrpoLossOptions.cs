namespace Aries.Preferences;

/// <summary>Options of <see cref="OrpoLoss"/>.</summary>
/// <threadsafety>Not thread safe while it is being changed; the loss copies it.</threadsafety>
public sealed record OrpoLossOptions
{
    /// <summary>Gets or sets λ, the weight of the odds-ratio term beside the negative log-likelihood.</summary>
    /// <value>Dimensionless; finite and greater than 0. The default is 0.1, the paper's.</value>
    public double Lambda { get; set; } = 0.1;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and its range.</exception>
    public void Validate()
    {
        LossGuard.CheckPositive(Lambda, nameof(Lambda), "ORPO typically uses 0.1.");
    }
}
