namespace Aries.Preferences;

/// <summary>Options of <see cref="IpoLoss"/> and <see cref="AveragedIpoLoss"/>.</summary>
/// <threadsafety>Not thread safe while it is being changed; the loss copies it.</threadsafety>
public sealed record IpoLossOptions
{
    /// <summary>Gets or sets β, which the paper calls τ: the margin is pulled to 1/(2β).</summary>
    /// <value>Per nat; finite and greater than 0. The default is 0.1, a target of 5 nats.</value>
    public double Beta { get; set; } = 0.1;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and its range.</exception>
    public void Validate()
    {
        LossGuard.CheckPositive(Beta, nameof(Beta), "the margin is pulled to 1/(2·Beta) nats.");
    }
}
