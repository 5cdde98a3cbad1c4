namespace Aries.Preferences;

/// <summary>Options of <see cref="ExoLoss"/>.</summary>
/// <threadsafety>Not thread safe while it is being changed; the loss copies it.</threadsafety>
public sealed record ExoLossOptions
{
    /// <summary>Gets or sets β, the strength of the pull towards the reference policy.</summary>
    /// <value>Dimensionless; finite and greater than 0. The default is 0.1.</value>
    public double Beta { get; set; } = 0.1;

    /// <summary>Gets or sets ε, the probability that the label's distribution gives to the rejected response; at 0 the loss would be infinite.</summary>
    /// <value>Dimensionless; greater than 0 and less than 0.5. The default is 0.001.</value>
    public double LabelSmoothing { get; set; } = 1e-3;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and its range.</exception>
    public void Validate()
    {
        LossGuard.CheckPositive(Beta, nameof(Beta), "EXO typically uses 0.1.");
        if (!(LabelSmoothing > 0 && LabelSmoothing < 0.5))
        {
            throw new ArgumentOutOfRangeException(nameof(LabelSmoothing), LabelSmoothing, "LabelSmoothing must be greater than 0 and less than 0.5: the loss holds its logarithm.");
        }
    }
}
