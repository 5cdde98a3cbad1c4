namespace Aries.Managed;

/// <summary>The learning rate of each optimiser step.</summary>
/// <threadsafety>Not thread-safe while it is being changed; the trainer copies it.</threadsafety>
public sealed record LearningRateOptions
{
    /// <summary>Gets or sets the highest learning rate.</summary>
    /// <value>Dimensionless; finite and greater than 0. The default is 5e-6, which suits full training of a model of billions of weights; small models and adapters need more, 1e-4 to 1e-3.</value>
    public double Peak { get; set; } = 5e-6;

    /// <summary>Gets or sets the share of all steps that the rate rises in.</summary>
    /// <value>0 (no warm-up) to 1; the number of steps is rounded up. The default is 0.03.</value>
    public double WarmUpFraction { get; set; } = 0.03;

    /// <summary>Gets or sets where the warm-up begins.</summary>
    /// <value>The default is <see cref="WarmUpStart.FirstFraction"/>.</value>
    public WarmUpStart WarmUpStart { get; set; }

    /// <summary>Gets or sets how the rate goes on after the warm-up.</summary>
    /// <value>The default is <see cref="LearningRateDecay.Cosine"/>.</value>
    public LearningRateDecay Decay { get; set; } = LearningRateDecay.Cosine;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it.</exception>
    public void Validate()
    {
        if (!(Peak > 0 && double.IsFinite(Peak)))
        {
            throw new ArgumentOutOfRangeException(nameof(Peak), Peak, "Peak must be finite and greater than 0; 5e-7 to 1e-3 is usual.");
        }

        if (!(WarmUpFraction >= 0 && WarmUpFraction <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(WarmUpFraction), WarmUpFraction, "WarmUpFraction must be in [0, 1]; 0.03 to 0.1 is usual.");
        }

        if (!Enum.IsDefined(WarmUpStart))
        {
            throw new ArgumentOutOfRangeException(nameof(WarmUpStart), WarmUpStart, "WarmUpStart must be a value of the enum.");
        }

        if (!Enum.IsDefined(Decay))
        {
            throw new ArgumentOutOfRangeException(nameof(Decay), Decay, "Decay must be a value of the enum.");
        }
    }

    /// <summary>Computes the learning rate of a step.</summary>
    /// <param name="step">The step, from 0.</param>
    /// <param name="stepCount">The number of steps of the whole training.</param>
    internal double At(int step, int stepCount)
    {
        int warmUp = (int)Math.Ceiling(WarmUpFraction * stepCount);
        if (step < warmUp)
        {
            return Peak * (WarmUpStart == WarmUpStart.Zero ? step : step + 1) / warmUp;
        }

        double progress = (double)(step - warmUp) / Math.Max(1, stepCount - warmUp);
        return Decay switch
        {
            LearningRateDecay.Linear => Peak * (1 - progress),
            LearningRateDecay.Cosine => Peak * (1 + Math.Cos(Math.PI * progress)) / 2,
            _ => Peak,
        };
    }
}
