namespace Aries;

/// <summary>One event of a streamed refinement: <see cref="StepStartedUpdate"/>, <see cref="StepTextUpdate"/>, <see cref="StepCompletedUpdate"/>, and at the end one <see cref="RefinementCompletedUpdate"/>.</summary>
/// <threadsafety>Immutable.</threadsafety>
public abstract record RefinementUpdate
{
    private protected RefinementUpdate()
    {
    }
}
