namespace Aries;

/// <summary>The shape of a low-rank adapter: y = W·x + (alpha ÷ rank)·B·(A·x).</summary>
/// <remarks>Hu et al. 2021, <see href="https://arxiv.org/abs/2106.09685"/>, Eq. 3. Dropout is not offered: a preference loss compares policy and reference, which must both be deterministic.</remarks>
/// <threadsafety>Not thread-safe while it is being changed; the trainer copies it.</threadsafety>
public sealed record LoraOptions
{
    /// <summary>Gets or sets the rank of the update.</summary>
    /// <value>1 or more. The default is 16.</value>
    public int Rank { get; set; } = 16;

    /// <summary>Gets or sets alpha: the update is scaled by alpha ÷ rank.</summary>
    /// <value>Finite and greater than 0. The default is 32.</value>
    public float Alpha { get; set; } = 32;

    /// <summary>Gets or sets the projections that get an adapter, in every layer.</summary>
    /// <value>At least one. The default is <see cref="LoraProjections.All"/>.</value>
    public LoraProjections Targets { get; set; } = LoraProjections.All;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it.</exception>
    public void Validate()
    {
        if (Rank < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(Rank), Rank, "Rank must be 1 or more; 8 to 64 is usual.");
        }

        if (!(Alpha > 0 && float.IsFinite(Alpha)))
        {
            throw new ArgumentOutOfRangeException(nameof(Alpha), Alpha, "Alpha must be finite and greater than 0; once or twice the rank is usual.");
        }

        if ((Targets & LoraProjections.All) == 0 || (Targets & ~LoraProjections.All) != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(Targets), Targets, "Targets must name at least one projection of LoraProjections, and nothing else.");
        }
    }
}
