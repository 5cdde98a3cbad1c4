namespace Aries;

/// <summary>The settings of a chain that inference and data collection share; validated by the options that it is made of.</summary>
internal sealed record ChainRules
{
    public required SamplingOptions Sampling { get; init; }

    public required SamplingOptions RefinementSampling { get; init; }

    public int? MaxTurns { get; init; }

    public long? TokenBudget { get; init; }

    public TimeSpan? TimeBudget { get; init; }

    public bool StopWhenUnchanged { get; init; }

    public double? MinimumGain { get; init; }

    public double? ScoreThreshold { get; init; }

    /// <summary>Checks what several options types share, under the names that they have there.</summary>
    public void Validate()
    {
        if (Sampling is null)
        {
            throw new ArgumentException("Sampling must be set.", nameof(Sampling));
        }

        Sampling.Validate();
        RefinementSampling.Validate();
        if (MaxTurns < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxTurns), MaxTurns, "MaxTurns must be 1 or greater; null leaves the number to the strategy.");
        }

        if (TokenBudget < Sampling.MaxTokens)
        {
            throw new ArgumentOutOfRangeException(
                nameof(TokenBudget), TokenBudget, $"TokenBudget must be at least Sampling.MaxTokens, which is {Sampling.MaxTokens}, or the direct answer alone could exceed it.");
        }
    }
}
