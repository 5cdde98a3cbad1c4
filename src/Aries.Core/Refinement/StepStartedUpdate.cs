namespace Aries;

/// <summary>The policy begins a draft or a remark.</summary>
/// <param name="StepIndex">Which of the trace's <see cref="RefinementTrace.Steps"/> it will be; zero-based.</param>
/// <param name="Kind">Whether it is an answer or a remark on one.</param>
/// <param name="IsFinalAnswer">Whether it is known now that it will be the answer unless it fails or runs out of time. False says nothing: stop rules and later choices may still make it the answer.</param>
/// <threadsafety>Immutable.</threadsafety>
public sealed record StepStartedUpdate(int StepIndex, RefinementStepKind Kind, bool IsFinalAnswer) : RefinementUpdate;
