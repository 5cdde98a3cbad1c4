namespace Aries;

/// <summary>Decides what the policy is asked next in a chain of drafts.</summary>
/// <remarks>
/// A strategy is a pure function of the trace, so a chain can be resumed, replayed and run in batches.
/// Budgets and stop rules are not its business: the runner applies them.
/// </remarks>
/// <threadsafety>Every member may be called concurrently, for different chains.</threadsafety>
public interface IRefinementStrategy
{
    /// <summary>Returns the next step of a chain.</summary>
    /// <param name="trace">The chain so far; no steps at the start, when the step asks for the direct answer.</param>
    /// <returns>What to ask, or null when the strategy has nothing more to ask.</returns>
    RefinementStep? NextStep(RefinementTrace trace);
}
