namespace Aries;

/// <summary>One output of the policy in a chain.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record TraceStep
{
    /// <summary>Gets whether this is an answer or a remark on one.</summary>
    public RefinementStepKind Kind { get; init; } = RefinementStepKind.Draft;

    /// <summary>Gets what the policy wrote.</summary>
    public required string Text { get; init; }

    /// <summary>Gets why the output ends.</summary>
    public FinishReason FinishReason { get; init; } = FinishReason.Stop;

    /// <summary>Gets the tokens read and written.</summary>
    public TokenUsage Usage { get; init; }

    /// <summary>Gets the score of a draft; null where nothing scored it.</summary>
    public RewardScore? Score { get; init; }
}
