namespace Aries;

/// <summary>A chain: the prompt, what the policy wrote step by step, and its scores. Inference returns it, selectors read it, a run stores it, pairs are made of it.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record RefinementTrace
{
    /// <summary>Gets the name of the chain, unique within its run.</summary>
    public required string Id { get; init; }

    /// <summary>Gets what the user asked.</summary>
    public required Prompt Prompt { get; init; }

    /// <summary>Gets all outputs of the policy, oldest first.</summary>
    public IReadOnlyList<TraceStep> Steps { get; init; } = [];

    /// <summary>Gets why the chain ended; null while it runs.</summary>
    public RefinementStopReason? StopReason { get; init; }

    /// <summary>Gets the failure that ended the chain, or null.</summary>
    public string? Error { get; init; }

    /// <summary>Gets the answers among the steps, oldest first: turn 1 is the direct answer.</summary>
    public IEnumerable<TraceStep> Drafts => Steps.Where(step => step.Kind == RefinementStepKind.Draft);

    /// <summary>Gets the tokens read and written by all steps.</summary>
    public TokenUsage Usage => Steps.Aggregate(default(TokenUsage), (sum, step) => sum + step.Usage);
}
