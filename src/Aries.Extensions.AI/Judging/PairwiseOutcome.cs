namespace Aries.Extensions.AI;

/// <summary>Which of two answers is better.</summary>
public enum PairwiseOutcome
{
    /// <summary>The first one.</summary>
    First,

    /// <summary>The second one.</summary>
    Second,

    /// <summary>Neither.</summary>
    Tie,
}
