namespace Aries;

/// <summary>The refinement has ended; the last update.</summary>
/// <param name="Result">The answer and the whole chain, equal to what <see cref="SelfRefiner.RefineAsync(Prompt, CancellationToken)"/> returns.</param>
/// <threadsafety>Immutable.</threadsafety>
public sealed record RefinementCompletedUpdate(RefinementResult Result) : RefinementUpdate;
