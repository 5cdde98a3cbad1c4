namespace Aries;

/// <summary>What a step of a chain produces.</summary>
public enum RefinementStepKind
{
    /// <summary>An answer to the user's prompt.</summary>
    Draft,

    /// <summary>A remark on the last draft, for the strategy to read; never an answer.</summary>
    Feedback,
}
