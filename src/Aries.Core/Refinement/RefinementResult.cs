namespace Aries;

/// <summary>What a refinement gave: the answer, and how it came about.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record RefinementResult
{
    /// <summary>Gets the answer; null only where the chain failed before its first draft.</summary>
    public required string? Answer { get; init; }

    /// <summary>Gets which of the trace's <see cref="RefinementTrace.Drafts"/> is the answer; zero-based, null where there is none.</summary>
    public required int? AnswerIndex { get; init; }

    /// <summary>Gets the whole chain: every draft and remark with its tokens and score.</summary>
    public required RefinementTrace Trace { get; init; }

    /// <summary>Gets why the chain ended.</summary>
    public required RefinementStopReason StopReason { get; init; }

    /// <summary>Gets the failure that ended the chain, or null.</summary>
    public Exception? Error { get; init; }

    /// <summary>Gets how long the chain took, waiting for others of its batch included.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>Gets the tokens read and written by the whole chain.</summary>
    public TokenUsage Usage => Trace.Usage;
}
