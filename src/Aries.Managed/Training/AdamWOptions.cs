namespace Aries.Managed;

/// <summary>The settings of <see href="https://arxiv.org/abs/1711.05101">AdamW</see> (Loshchilov and Hutter 2017, Algorithm 2) and of gradient clipping.</summary>
/// <threadsafety>Not thread-safe while it is being changed; the trainer copies it.</threadsafety>
public sealed record AdamWOptions
{
    /// <summary>Gets or sets β₁, the decay of the mean of gradients.</summary>
    /// <value>Dimensionless; in [0, 1). The default is 0.9.</value>
    public double Beta1 { get; set; } = 0.9;

    /// <summary>Gets or sets β₂, the decay of the mean of squared gradients.</summary>
    /// <value>Dimensionless; in [0, 1). The default is 0.999.</value>
    public double Beta2 { get; set; } = 0.999;

    /// <summary>Gets or sets ε, which is added to the root of the mean of squared gradients.</summary>
    /// <value>Finite and greater than 0. The default is 1e-8.</value>
    public double Epsilon { get; set; } = 1e-8;

    /// <summary>Gets or sets the weight decay: matrices shrink by learning rate × decay in each step; norms and biases do not.</summary>
    /// <value>Finite and 0 or more. The default is 0.</value>
    public double WeightDecay { get; set; }

    /// <summary>Gets or sets the norm that the gradient of all trained weights together is clipped to.</summary>
    /// <value>Greater than 0; positive infinity for no clipping. The default is 1.</value>
    public double MaxGradientNorm { get; set; } = 1;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it.</exception>
    public void Validate()
    {
        if (!(Beta1 is >= 0 and < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(Beta1), Beta1, "Beta1 must be in [0, 1); 0.9 is usual.");
        }

        if (!(Beta2 is >= 0 and < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(Beta2), Beta2, "Beta2 must be in [0, 1); 0.95 to 0.999 is usual.");
        }

        if (!(Epsilon > 0 && double.IsFinite(Epsilon)))
        {
            throw new ArgumentOutOfRangeException(nameof(Epsilon), Epsilon, "Epsilon must be finite and greater than 0; 1e-8 is usual.");
        }

        if (!(WeightDecay >= 0 && double.IsFinite(WeightDecay)))
        {
            throw new ArgumentOutOfRangeException(nameof(WeightDecay), WeightDecay, "WeightDecay must be finite and 0 or more; 0 to 0.1 is usual.");
        }

        if (!(MaxGradientNorm > 0))
        {
            throw new ArgumentOutOfRangeException(nameof(MaxGradientNorm), MaxGradientNorm, "MaxGradientNorm must be greater than 0; 1 is usual, positive infinity turns clipping off.");
        }
    }
}
