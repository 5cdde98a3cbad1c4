namespace Aries;

/// <summary>Which policy is π_ref, the frozen reference, in a round's training.</summary>
public enum ReferencePolicy
{
    /// <summary>The policy that the round starts from, M_{t−1}.</summary>
    Previous,

    /// <summary>The policy that the first round starts from, M_0, in all rounds.</summary>
    Initial,
}
