namespace Aries;

/// <summary>How <see cref="RewardModelSelection"/> makes pairs.</summary>
/// <threadsafety>Not synchronised: a component copies the options that it is given.</threadsafety>
public sealed record RewardModelSelectionOptions
{
    /// <summary>Gets or sets the least difference of the scores, in the scorer's unit; a pair below it is dropped.</summary>
    /// <value>Finite and 0 or greater. The default is 0. Equal scores give no pair, whatever the value.</value>
    public double MinimumMargin { get; set; }

    /// <summary>Gets or sets τ of the soft labels p̂ = σ(margin / τ), in the scorer's unit.</summary>
    /// <value>Finite and greater than 0. The default is null: hard labels, p̂ = 1.</value>
    public double? SoftLabelTemperature { get; set; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and the range.</exception>
    public void Validate()
    {
        if (!(MinimumMargin >= 0 && double.IsFinite(MinimumMargin)))
        {
            throw new ArgumentOutOfRangeException(nameof(MinimumMargin), MinimumMargin, "MinimumMargin must be finite and 0 or greater.");
        }

        PairScoring.ValidateTemperature(SoftLabelTemperature, nameof(SoftLabelTemperature));
    }
}
