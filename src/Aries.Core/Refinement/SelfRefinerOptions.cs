namespace Aries;

/// <summary>How <see cref="SelfRefiner"/> runs a chain, when it stops, and which draft it returns.</summary>
/// <threadsafety>Not synchronised: a component copies the options that it is given.</threadsafety>
public sealed record SelfRefinerOptions
{
    /// <summary>Gets or sets how tokens are drawn in the first step of a chain, and in all others unless <see cref="RefinementSampling"/> is set.</summary>
    /// <value>
    /// The default is that of <see cref="SamplingOptions"/>. With a seed, each draft gets one of its own, derived from the seed, the prompt's text,
    /// the step and the sample: the same prompt gives the same chain, alone or in any batch. Without, the backend chooses.
    /// </value>
    public SamplingOptions Sampling { get; set; } = new();

    /// <summary>Gets or sets how tokens are drawn in every step after the first, its own seed included.</summary>
    /// <value>The default is null: as in the first.</value>
    public SamplingOptions? RefinementSampling { get; set; }

    /// <summary>Gets or sets the largest number of steps that answer; remarks do not count, and several samples of one step count once.</summary>
    /// <value>1 or greater. The default is null: the strategy decides.</value>
    public int? MaxTurns { get; set; }

    /// <summary>Gets or sets the largest number of tokens of a chain, prompts and responses together.</summary>
    /// <value>
    /// At least <see cref="SamplingOptions.MaxTokens"/>. The default is null: no limit. A step is not begun where its responses, each at its limit of tokens, could exceed the rest; so no response
    /// is cut short by the budget. The first step is always begun. The length of the next prompt is estimated from the tokens a character of the chain's prompts so far, and only the error of that
    /// estimate, or the first step, can exceed the budget. A policy that reports no usage is a <see cref="NotSupportedException"/>.
    /// </value>
    public long? TokenBudget { get; set; }

    /// <summary>Gets or sets how long a chain may take.</summary>
    /// <value>
    /// Greater than zero. The default is null: no limit. The first step is always finished; a later one that runs when the time is up is abandoned, and its tokens are not in the usage.
    /// </value>
    public TimeSpan? TimeBudget { get; set; }

    /// <summary>Gets or sets whether a chain stops when a draft equals the one before it, letter for letter.</summary>
    /// <value>The default is true. It does not look at the samples of one step.</value>
    public bool StopWhenUnchanged { get; set; } = true;

    /// <summary>Gets or sets by more than how much a draft's score must exceed the best score before it, or the chain stops. Needs a scorer.</summary>
    /// <value>Finite and 0 or greater; 0 asks for any gain. The default is null: gains are not looked at. A draft without a score does not stop the chain.</value>
    public double? MinimumGain { get; set; }

    /// <summary>Gets or sets the score at which a chain stops. Needs a scorer.</summary>
    /// <value>Finite. The default is null: no score stops it.</value>
    public double? ScoreThreshold { get; set; }

    /// <summary>Gets or sets which draft is the answer.</summary>
    /// <value>The default is <see cref="FinalAnswer.Last"/>.</value>
    public FinalAnswer FinalAnswer { get; set; } = FinalAnswer.Last;

    /// <summary>Gets or sets what reads the answer out of a draft, for <see cref="FinalAnswer.MajorityVote"/>.</summary>
    /// <value>The default is null. Set without the vote, or the vote without it, is an error.</value>
    public IAnswerExtractor? AnswerExtractor { get; set; }

    /// <summary>Gets or sets what happens when the policy or the scorer fails.</summary>
    /// <value>The default is <see cref="FailureBehavior.ReturnTrace"/>.</value>
    public FailureBehavior OnFailure { get; set; } = FailureBehavior.ReturnTrace;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException">A value is missing, or two contradict each other.</exception>
    public void Validate()
    {
        ToRules().Validate();
        if (TimeBudget is { } time && time <= TimeSpan.Zero)
        {
            throw new ArgumentOutOfRangeException(nameof(TimeBudget), time, "TimeBudget must be greater than zero; null switches it off.");
        }

        if (MinimumGain is { } gain && !(gain >= 0 && double.IsFinite(gain)))
        {
            throw new ArgumentOutOfRangeException(nameof(MinimumGain), gain, "MinimumGain must be finite and 0 or greater; null switches it off.");
        }

        if (ScoreThreshold is { } threshold && !double.IsFinite(threshold))
        {
            throw new ArgumentOutOfRangeException(nameof(ScoreThreshold), threshold, "ScoreThreshold must be finite; null switches it off.");
        }

        if (!Enum.IsDefined(FinalAnswer))
        {
            throw new ArgumentOutOfRangeException(nameof(FinalAnswer), FinalAnswer, "FinalAnswer has no such value.");
        }

        if (!Enum.IsDefined(OnFailure))
        {
            throw new ArgumentOutOfRangeException(nameof(OnFailure), OnFailure, "OnFailure must be ReturnTrace or Throw.");
        }

        if (FinalAnswer == FinalAnswer.MajorityVote != AnswerExtractor is not null)
        {
            throw new ArgumentException(
                $"FinalAnswer is {FinalAnswer}, but AnswerExtractor is {(AnswerExtractor is null ? "not " : "")}set. MajorityVote needs one, and nothing else reads it.", nameof(AnswerExtractor));
        }

        if (FinalAnswer == FinalAnswer.FirstAboveThreshold && ScoreThreshold is null)
        {
            throw new ArgumentException("FinalAnswer is FirstAboveThreshold, but ScoreThreshold is not set. Set it, or choose BestScored.", nameof(ScoreThreshold));
        }
    }

    /// <summary>Gets the first option that cannot work without a scorer, or null.</summary>
    internal string? OptionThatNeedsScorer() => this switch
    {
        { MinimumGain: not null } => nameof(MinimumGain),
        { ScoreThreshold: not null } => nameof(ScoreThreshold),
        { FinalAnswer: FinalAnswer.BestScored or FinalAnswer.FirstAboveThreshold } => $"{nameof(FinalAnswer)}.{FinalAnswer}",
        _ => null,
    };

    internal ChainRules ToRules() => new()
    {
        Sampling = Sampling,
        RefinementSampling = RefinementSampling ?? Sampling,
        MaxTurns = MaxTurns,
        TokenBudget = TokenBudget,
        TimeBudget = TimeBudget,
        StopWhenUnchanged = StopWhenUnchanged,
        MinimumGain = MinimumGain,
        ScoreThreshold = ScoreThreshold,
    };

    /// <summary>Returns a copy that shares nothing that can change.</summary>
    internal SelfRefinerOptions Copy() => this with { Sampling = Sampling.Copy(), RefinementSampling = RefinementSampling?.Copy() };
}
