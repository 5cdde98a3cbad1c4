namespace Aries;

/// <summary>A draft or remark is whole, and scored where there is a scorer.</summary>
/// <param name="StepIndex">Which of the trace's <see cref="RefinementTrace.Steps"/> it is; zero-based.</param>
/// <param name="Step">The draft or remark with its tokens and score.</param>
/// <threadsafety>Immutable.</threadsafety>
public sealed record StepCompletedUpdate(int StepIndex, TraceStep Step) : RefinementUpdate;
