using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>How <see cref="SelfRefiningChatClient"/> refines, when it stops, and which draft it returns. How tokens are drawn is each request's <see cref="ChatOptions"/>.</summary>
/// <threadsafety>Not synchronised: a component copies the options that it is given.</threadsafety>
public sealed record SelfRefinementOptions
{
    /// <summary>Gets or sets what is asked in each step.</summary>
    /// <value>The default is <see cref="AriesRefinement"/> with two turns: the direct answer and one rewrite of it.</value>
    public IRefinementStrategy Strategy { get; set; } = new AriesRefinement(turnCount: 2);

    /// <summary>Gets or sets what scores every draft.</summary>
    /// <value>The default is null: nothing. What a judge reads and writes is not in the usage of the response.</value>
    public IRewardScorer? Scorer { get; set; }

    /// <summary>Gets or sets the largest number of steps that answer. A request can set its own: <c>WithRefinement</c>.</summary>
    /// <value>1 or greater. The default is null: the strategy decides.</value>
    public int? MaxTurns { get; set; }

    /// <summary>Gets or sets the largest number of tokens of a request, over all its calls, prompts and responses together. A request can set its own.</summary>
    /// <value>
    /// 1 or greater. The default is null: no limit. The first call is always made. A further one is made where its prompt, as estimated, and
    /// <see cref="ChatOptions.MaxOutputTokens"/> fit into the rest; a request without that limit can exceed the budget by one response. A client that reports no usage is a <see cref="NotSupportedException"/>.
    /// </value>
    public long? TokenBudget { get; set; }

    /// <summary>Gets or sets how long a request may take. A request can set its own.</summary>
    /// <value>
    /// Greater than zero. The default is null: no limit. The first call is always finished. A later one that runs when the time is up is abandoned for the draft before it, and its tokens are
    /// not in the usage; but a final answer that has begun to stream is finished.
    /// </value>
    public TimeSpan? TimeBudget { get; set; }

    /// <summary>Gets or sets whether a request ends when a draft equals the one before it, letter for letter.</summary>
    /// <value>The default is true.</value>
    public bool StopWhenUnchanged { get; set; } = true;

    /// <summary>Gets or sets by more than how much a draft's score must exceed the best score before it, or the request ends. Needs a scorer.</summary>
    /// <value>Finite and 0 or greater. The default is null: gains are not looked at.</value>
    public double? MinimumGain { get; set; }

    /// <summary>Gets or sets the score at which a request ends. Needs a scorer.</summary>
    /// <value>Finite. The default is null: no score ends it.</value>
    public double? ScoreThreshold { get; set; }

    /// <summary>Gets or sets which draft is the answer.</summary>
    /// <value>The default is <see cref="FinalAnswer.Last"/>. A draft without any text is not the answer where another has some.</value>
    public FinalAnswer FinalAnswer { get; set; } = FinalAnswer.Last;

    /// <summary>Gets or sets what reads the answer out of a draft, for <see cref="FinalAnswer.MajorityVote"/>.</summary>
    /// <value>The default is null.</value>
    public IAnswerExtractor? AnswerExtractor { get; set; }

    /// <summary>Gets or sets what happens when a call after the first fails, or the scorer does.</summary>
    /// <value>
    /// The default is <see cref="FailureBehavior.ReturnTrace"/>: the answer is chosen among the drafts that are there, and the trace tells of the failure. Where there is no draft, and where
    /// the final answer has begun to stream, the client's exception is thrown.
    /// </value>
    public FailureBehavior OnFailure { get; set; } = FailureBehavior.ReturnTrace;

    /// <summary>Gets or sets whether a stream also gives the drafts, as <see cref="RefinementDraftContent"/>. A request can set its own.</summary>
    /// <value>The default is false: a stream gives the answer only.</value>
    public bool StreamDrafts { get; set; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException">A value is missing, contradicts another, or needs a scorer where there is none.</exception>
    public void Validate()
    {
        if (Strategy is null)
        {
            throw new ArgumentException("Strategy must be set.", nameof(Strategy));
        }

        if (TokenBudget < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(TokenBudget), TokenBudget, "TokenBudget must be 1 or greater; null switches it off.");
        }

        if (!Enum.IsDefined(OnFailure))
        {
            throw new ArgumentOutOfRangeException(nameof(OnFailure), OnFailure, "OnFailure must be ReturnTrace or Throw.");
        }

        ToRefinerOptions(null).Validate();
        if (Scorer is null && (MinimumGain is not null || ScoreThreshold is not null || FinalAnswer is FinalAnswer.BestScored or FinalAnswer.FirstAboveThreshold))
        {
            throw new ArgumentException("MinimumGain, ScoreThreshold and the choice by score read scores, but Scorer is not set. Set it, or leave them out.", nameof(Scorer));
        }
    }

    internal SelfRefinerOptions ToRefinerOptions(ChatOptions? request)
    {
        // The refiner reads of these how long a response may be, for the budget, and the seed that each draft's own derives from; the rest goes to the client as the caller said it.
        long limit = request?.MaxOutputTokens is > 0 and { } most ? most : 1;
        return new SelfRefinerOptions
        {
            Sampling = new SamplingOptions { MaxTokens = (int)Math.Min(limit, TokenBudget ?? limit), Seed = request?.Seed },
            MaxTurns = MaxTurns,
            TokenBudget = TokenBudget,
            TimeBudget = TimeBudget,
            StopWhenUnchanged = StopWhenUnchanged,
            MinimumGain = MinimumGain,
            ScoreThreshold = ScoreThreshold,
            FinalAnswer = FinalAnswer,
            AnswerExtractor = AnswerExtractor,

            // The client throws by itself: it knows what has been shown.
            OnFailure = FailureBehavior.ReturnTrace,
        };
    }
}
