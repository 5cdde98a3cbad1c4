namespace Aries.Extensions.AI;

/// <summary>What a judge says of two answers, shown in both orders.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record PairwiseVerdict
{
    /// <summary>Gets the verdict with the first answer shown first; null where the judge gave none.</summary>
    public PairwiseOutcome? InOrder { get; init; }

    /// <summary>Gets the verdict with the second answer shown first, in terms of the request; null where the judge gave none.</summary>
    public PairwiseOutcome? Swapped { get; init; }

    /// <summary>Gets what the judge had to say in both orders, or why there is no verdict.</summary>
    public string? Diagnostic { get; init; }

    /// <summary>Gets whether both orders gave one verdict.</summary>
    public bool IsConsistent => InOrder is not null && InOrder == Swapped;

    /// <summary>Gets the verdict: that of both orders where they agree, a tie where they do not, null where one of them is missing.</summary>
    public PairwiseOutcome? Outcome => InOrder is null || Swapped is null ? null : IsConsistent ? InOrder : PairwiseOutcome.Tie;
}
