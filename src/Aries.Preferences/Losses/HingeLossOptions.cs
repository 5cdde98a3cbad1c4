namespace Aries.Preferences;

/// <summary>Options of <see cref="HingeLoss"/>.</summary>
/// <threadsafety>Not thread safe while it is being changed; the loss copies it.</threadsafety>
public sealed record HingeLossOptions
{
    /// <summary>Gets or sets β: a margin of 1/β nats and more costs nothing.</summary>
    /// <value>Per nat; finite and greater than 0. The default is 0.1, a hinge at 10 nats.</value>
    public double Beta { get; set; } = 0.1;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and its range.</exception>
    public void Validate()
    {
        LossGuard.CheckPositive(Beta, nameof(Beta), "a margin of 1/Beta nats costs nothing.");
    }
}
