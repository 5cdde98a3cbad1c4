namespace Aries;

/// <summary>How <see cref="PreferenceDataCollector"/> runs chains.</summary>
/// <threadsafety>Not synchronised: a component copies the options that it is given.</threadsafety>
public sealed record PreferenceDataCollectorOptions
{
    /// <summary>Gets or sets the largest number of chains in flight: those that run and those that wait to be given in order. A call of the policy holds at most one step of each.</summary>
    /// <value>1 or greater. The default is 32. Chains do not depend on it, only speed and memory do.</value>
    public int BatchSize { get; set; } = 32;

    /// <summary>Gets or sets how tokens are drawn in the first step of a chain, and in all others unless <see cref="RefinementSampling"/> is set.</summary>
    /// <value>
    /// The default is that of <see cref="SamplingOptions"/>. With a seed, each draft gets one of its own, derived from the seed, the chain's name, the step and
    /// the sample: a chain does not depend on the others. Without, the backend chooses.
    /// </value>
    public SamplingOptions Sampling { get; set; } = new();

    /// <summary>Gets or sets how tokens are drawn in every step after the first, its own seed included.</summary>
    /// <value>The default is null: as in the first.</value>
    public SamplingOptions? RefinementSampling { get; set; }

    /// <summary>Gets or sets the largest number of steps that answer; see <see cref="SelfRefinerOptions.MaxTurns"/>.</summary>
    /// <value>1 or greater. The default is null: the strategy decides.</value>
    public int? MaxTurns { get; set; }

    /// <summary>Gets or sets the largest number of tokens of a chain; see <see cref="SelfRefinerOptions.TokenBudget"/>.</summary>
    /// <value>At least <see cref="SamplingOptions.MaxTokens"/>. The default is null: no limit.</value>
    public long? TokenBudget { get; set; }

    /// <summary>Gets or sets whether a chain stops when a draft equals the one before it, letter for letter.</summary>
    /// <value>The default is false: every chain has all its turns, so that qualities per turn are of the same chains.</value>
    public bool StopWhenUnchanged { get; set; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException">A value is missing.</exception>
    public void Validate()
    {
        if (BatchSize < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(BatchSize), BatchSize, "BatchSize must be 1 or greater.");
        }

        ToRules().Validate();
    }

    internal ChainRules ToRules() => new()
    {
        Sampling = Sampling,
        RefinementSampling = RefinementSampling ?? Sampling,
        MaxTurns = MaxTurns,
        TokenBudget = TokenBudget,
        StopWhenUnchanged = StopWhenUnchanged,
    };

    /// <summary>Returns a copy that shares nothing that can change.</summary>
    internal PreferenceDataCollectorOptions Copy() => this with { Sampling = Sampling.Copy(), RefinementSampling = RefinementSampling?.Copy() };
}
