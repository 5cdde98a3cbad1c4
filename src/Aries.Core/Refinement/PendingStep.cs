namespace Aries;

/// <summary>The step that a chain waits for: what was asked, as requests that differ in their seed only.</summary>
internal sealed record PendingStep(RefinementStep Step, IReadOnlyList<GenerationRequest> Requests, bool IsLast);
