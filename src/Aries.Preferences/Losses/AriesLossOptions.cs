namespace Aries.Preferences;

/// <summary>Options of <see cref="AriesLoss"/>.</summary>
/// <threadsafety>Not thread safe while it is being changed; the loss copies it.</threadsafety>
public sealed record AriesLossOptions
{
    /// <summary>Gets or sets α, the weight of the refinement term; 1 − α is the weight of DPO.</summary>
    /// <value>Dimensionless; in [0, 1]. The default is 0.8. At 0 the loss is DPO, at 1 the refinement loss, and the other mode's sequences are not scored.</value>
    public double Alpha { get; set; } = 0.8;

    /// <summary>Gets or sets β of the DPO term.</summary>
    /// <value>Dimensionless; finite and greater than 0. The default is 0.1.</value>
    public double DpoBeta { get; set; } = 0.1;

    /// <summary>Gets or sets β of the refinement term.</summary>
    /// <value>Per nat; finite and greater than 0. The default is 0.1.</value>
    public double RefinementBeta { get; set; } = 0.1;

    /// <summary>Gets or sets a value indicating whether the refinement term has both sides; see <see cref="RefinementLossOptions.TwoSided"/>.</summary>
    /// <value>The default is true.</value>
    public bool TwoSided { get; set; } = true;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and its range.</exception>
    public void Validate()
    {
        if (!(Alpha >= 0 && Alpha <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(Alpha), Alpha, "Alpha must be in [0, 1]: 0 is DPO, 1 the refinement loss alone.");
        }

        LossGuard.CheckPositive(DpoBeta, nameof(DpoBeta), "DPO typically uses 0.1 to 0.5.");
        LossGuard.CheckPositive(RefinementBeta, nameof(RefinementBeta), "0.025 to 0.25 is typical.");
    }
}
