namespace Aries;

/// <summary>What a refinement does when the policy or the scorer fails.</summary>
public enum FailureBehavior
{
    /// <summary>Returns what was written before, with the error beside it.</summary>
    ReturnTrace,

    /// <summary>Throws a <see cref="RefinementException"/> that carries what was written before.</summary>
    Throw,
}
