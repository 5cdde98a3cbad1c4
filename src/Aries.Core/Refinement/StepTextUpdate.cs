namespace Aries;

/// <summary>More text of the draft or remark that began last. The texts of a step joined are its text; samples that were drawn together come whole.</summary>
/// <param name="StepIndex">Which of the trace's <see cref="RefinementTrace.Steps"/> it belongs to; zero-based.</param>
/// <param name="Text">The text since the last update; never empty.</param>
/// <threadsafety>Immutable.</threadsafety>
public sealed record StepTextUpdate(int StepIndex, string Text) : RefinementUpdate;
