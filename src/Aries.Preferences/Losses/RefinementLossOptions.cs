namespace Aries.Preferences;

/// <summary>Options of <see cref="RefinementLoss"/>.</summary>
/// <threadsafety>Not thread safe while it is being changed; the loss copies it.</threadsafety>
public sealed record RefinementLossOptions
{
    /// <summary>Gets or sets β: the learnt difference of log-ratios ends at 1/(2β) nats for a hard label.</summary>
    /// <value>Per nat; finite and greater than 0. The default is 0.1, a target of 5 nats.</value>
    public double Beta { get; set; } = 0.1;

    /// <summary>Gets or sets a value indicating whether the second term, which keeps a good answer from being made worse, is there.</summary>
    /// <value>The default is true. Without it the target is biased: it is +1/2 whatever the preference of the copied answer is.</value>
    public bool TwoSided { get; set; } = true;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and its range.</exception>
    public void Validate()
    {
        LossGuard.CheckPositive(Beta, nameof(Beta), "0.025 to 0.25 is typical: the log-ratio gap ends at 1/(2·Beta) nats.");
    }
}
