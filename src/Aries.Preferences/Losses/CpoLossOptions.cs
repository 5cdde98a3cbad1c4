namespace Aries.Preferences;

/// <summary>Options of <see cref="CpoLoss"/>.</summary>
/// <threadsafety>Not thread safe while it is being changed; the loss copies it.</threadsafety>
public sealed record CpoLossOptions
{
    /// <summary>Gets or sets β, the scale of the margin between the log-probabilities.</summary>
    /// <value>Dimensionless; finite and greater than 0. The default is 0.1.</value>
    public double Beta { get; set; } = 0.1;

    /// <summary>Gets or sets the weight of the chosen response's negative log-likelihood.</summary>
    /// <value>Dimensionless; finite and at least 0. The default is 1, the paper's; 0 leaves the term out.</value>
    public double NllWeight { get; set; } = 1;

    /// <summary>Gets or sets how the negative log-likelihood is scaled.</summary>
    /// <value>The default is <see cref="LossNormalization.TokenMean"/>.</value>
    public LossNormalization Normalization { get; set; } = LossNormalization.TokenMean;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and its range.</exception>
    public void Validate()
    {
        LossGuard.CheckPositive(Beta, nameof(Beta), "CPO typically uses 0.1.");
        if (!(NllWeight >= 0 && double.IsFinite(NllWeight)))
        {
            throw new ArgumentOutOfRangeException(nameof(NllWeight), NllWeight, "NllWeight must be finite and at least 0.");
        }

        if (!Enum.IsDefined(Normalization))
        {
            throw new ArgumentOutOfRangeException(nameof(Normalization), Normalization, "Normalization must be a value of the enum.");
        }
    }
}
