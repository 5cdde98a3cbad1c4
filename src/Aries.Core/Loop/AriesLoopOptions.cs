namespace Aries;

/// <summary>How an <see cref="AriesLoop"/> runs. Losses and learning rates are the trainer's options, turns and template are the strategy's.</summary>
/// <threadsafety>Not synchronised: the loop copies the options that it is given.</threadsafety>
public sealed record AriesLoopOptions
{
    /// <summary>Gets or sets T, the number of rounds.</summary>
    /// <value>0 or greater; 0 ends after the warm-up and the offline training. The default is 3.</value>
    public int RoundCount { get; set; } = 3;

    /// <summary>Gets or sets how many prompts a round takes.</summary>
    /// <value>1 or greater. The default is 1000.</value>
    public int PromptsPerRound { get; set; } = 1000;

    /// <summary>Gets or sets how the chains of the rounds are drawn. Seeds come from <see cref="Seed"/>.</summary>
    /// <value>Its own seed must be null. The default is temperature 0.7.</value>
    public SamplingOptions Sampling { get; set; } = new() { Temperature = 0.7f };

    /// <summary>Gets or sets how the chains of the evaluation are drawn, or null for <see cref="Sampling"/>.</summary>
    /// <value>Its own seed must be null. The default is null.</value>
    public SamplingOptions? EvaluationSampling { get; set; }

    /// <summary>Gets or sets whether each evaluation is made a second time with greedy decoding.</summary>
    /// <value>The default is false.</value>
    public bool EvaluateGreedy { get; set; }

    /// <summary>Gets or sets how many chains move together, and how many responses are scored at once.</summary>
    /// <value>1 or greater. The default is 64. A part of the run's identity: an engine's results may depend on it.</value>
    public int BatchSize { get; set; } = 64;

    /// <summary>Gets or sets which policy is the frozen reference of a round's training.</summary>
    /// <value>The default is <see cref="ReferencePolicy.Previous"/>.</value>
    public ReferencePolicy Reference { get; set; } = ReferencePolicy.Previous;

    /// <summary>Gets or sets the template z that trainings render refinements with, or null for the strategy's own, where it is an <see cref="AriesRefinement"/>, and else <see cref="RefinementTemplate.Default"/>.</summary>
    /// <value>The default is null.</value>
    public RefinementTemplate? Template { get; set; }

    /// <summary>Gets or sets the true score from which a draft counts as right.</summary>
    /// <value>Finite. The default is 1: what an exact match scores.</value>
    public double CorrectAt { get; set; } = 1;

    /// <summary>Gets or sets the form of the run's pair files.</summary>
    /// <value>Null takes the chat form when a prompt has several turns, and else the plain form. The default is null.</value>
    public PreferenceJsonlForm? PairForm { get; set; }

    /// <summary>Gets or sets the seed of all that is random in the run: each chain, evaluation and training derives its own from it.</summary>
    /// <value>The default is 0.</value>
    public long Seed { get; set; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException">Sampling options are null or have a seed of their own.</exception>
    public void Validate()
    {
        if (RoundCount < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(RoundCount), RoundCount, "RoundCount must be 0 or greater; the paper uses 3.");
        }

        if (PromptsPerRound < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(PromptsPerRound), PromptsPerRound, "PromptsPerRound must be 1 or greater; the paper uses 5000 to 10000.");
        }

        if (BatchSize < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(BatchSize), BatchSize, "BatchSize must be 1 or greater.");
        }

        if (Reference is not (ReferencePolicy.Previous or ReferencePolicy.Initial))
        {
            throw new ArgumentOutOfRangeException(nameof(Reference), Reference, "Reference must be Previous or Initial.");
        }

        if (!double.IsFinite(CorrectAt))
        {
            throw new ArgumentOutOfRangeException(nameof(CorrectAt), CorrectAt, "CorrectAt must be finite; an exact match scores 1.");
        }

        if (PairForm is not (null or PreferenceJsonlForm.Plain or PreferenceJsonlForm.Chat))
        {
            throw new ArgumentOutOfRangeException(nameof(PairForm), PairForm, "PairForm must be null, Plain or Chat.");
        }

        ArgumentNullException.ThrowIfNull(Sampling);
        CheckSampling(Sampling, nameof(Sampling));
        if (EvaluationSampling is not null)
        {
            CheckSampling(EvaluationSampling, nameof(EvaluationSampling));
        }
    }

    /// <summary>Returns a copy that shares nothing mutable with this.</summary>
    internal AriesLoopOptions Copy() => this with { Sampling = Sampling.Copy(), EvaluationSampling = EvaluationSampling?.Copy() };

    private static void CheckSampling(SamplingOptions sampling, string name)
    {
        sampling.Validate();
        if (sampling.Seed is not null)
        {
            throw new ArgumentException($"{name}.Seed is {sampling.Seed}, but a run derives the seed of each chain from its own Seed. Leave {name}.Seed null and set Seed.", name);
        }
    }
}
