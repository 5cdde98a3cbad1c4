namespace Aries;

/// <summary>Why a chain ended.</summary>
public enum RefinementStopReason
{
    /// <summary>All turns were used, or the strategy had nothing more to ask.</summary>
    Completed,

    /// <summary>A draft equals the one before it.</summary>
    Unchanged,

    /// <summary>The scorer saw no gain over the best draft before.</summary>
    NoGain,

    /// <summary>A draft reached the threshold.</summary>
    ThresholdReached,

    /// <summary>The next step would exceed the token budget.</summary>
    TokenBudget,

    /// <summary>The time budget is used up.</summary>
    TimeBudget,

    /// <summary>The policy or the scorer failed; the trace holds what came before.</summary>
    Failed,
}
