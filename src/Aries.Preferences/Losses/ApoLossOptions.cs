namespace Aries.Preferences;

/// <summary>Options of <see cref="ApoZeroLoss"/> and <see cref="ApoDownLoss"/>.</summary>
/// <threadsafety>Not thread safe while it is being changed; the loss copies it.</threadsafety>
public sealed record ApoLossOptions
{
    /// <summary>Gets or sets β, the strength of the pull towards the reference policy.</summary>
    /// <value>Dimensionless; finite and greater than 0. The default is 0.1.</value>
    public double Beta { get; set; } = 0.1;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and its range.</exception>
    public void Validate()
    {
        LossGuard.CheckPositive(Beta, nameof(Beta), "APO typically uses 0.1.");
    }
}
