namespace Aries.Preferences;

/// <summary>Options of <see cref="KtoLoss"/>.</summary>
/// <threadsafety>Not thread safe while it is being changed; the loss copies it.</threadsafety>
public sealed record KtoLossOptions
{
    /// <summary>Gets or sets β, the strength of the pull towards the reference policy.</summary>
    /// <value>Dimensionless; finite and greater than 0. The default is 0.1.</value>
    public double Beta { get; set; } = 0.1;

    /// <summary>Gets or sets λ_D, the weight of desirable responses.</summary>
    /// <value>Dimensionless; finite and greater than 0. The default is 1. The paper keeps λ_D·n_D / (λ_U·n_U) between 1 and 4/3 when the counts n differ.</value>
    public double DesirableWeight { get; set; } = 1;

    /// <summary>Gets or sets λ_U, the weight of undesirable responses.</summary>
    /// <value>Dimensionless; finite and greater than 0. The default is 1.</value>
    public double UndesirableWeight { get; set; } = 1;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and its range.</exception>
    public void Validate()
    {
        LossGuard.CheckPositive(Beta, nameof(Beta), "KTO typically uses 0.1.");
        LossGuard.CheckPositive(DesirableWeight, nameof(DesirableWeight), "1 weighs both kinds alike.");
        LossGuard.CheckPositive(UndesirableWeight, nameof(UndesirableWeight), "1 weighs both kinds alike.");
    }
}
