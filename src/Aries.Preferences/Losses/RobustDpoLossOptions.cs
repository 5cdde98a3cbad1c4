namespace Aries.Preferences;

/// <summary>Options of <see cref="RobustDpoLoss"/>.</summary>
/// <threadsafety>Not thread safe while it is being changed; the loss copies it.</threadsafety>
public sealed record RobustDpoLossOptions
{
    /// <summary>Gets or sets β, the strength of the pull towards the reference policy.</summary>
    /// <value>Dimensionless; finite and greater than 0. The default is 0.1.</value>
    public double Beta { get; set; } = 0.1;

    /// <summary>Gets or sets ε, the rate at which labels are flipped; at 0 the loss is DPO.</summary>
    /// <value>Dimensionless; at least 0 and less than 0.5. The default is 0.1.</value>
    public double LabelSmoothing { get; set; } = 0.1;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and its range.</exception>
    public void Validate()
    {
        LossGuard.CheckPositive(Beta, nameof(Beta), "DPO typically uses 0.1 to 0.5.");
        LossGuard.CheckSmoothing(LabelSmoothing, nameof(LabelSmoothing));
    }
}
