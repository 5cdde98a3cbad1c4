namespace Aries.Extensions.AI;

/// <summary>How far a pairwise judge's verdicts follow the place of an answer in place of its quality.</summary>
/// <remarks>Zheng et al. 2023, <see href="https://arxiv.org/abs/2306.05685"/>, Table 2: consistency, and the bias towards the first and the second place.</remarks>
/// <threadsafety>Immutable.</threadsafety>
public sealed record PositionBiasReport
{
    private PositionBiasReport()
    {
    }

    /// <summary>Gets the number of comparisons.</summary>
    public int ComparisonCount { get; private init; }

    /// <summary>Gets the number of comparisons without a verdict in one order at least.</summary>
    public int InvalidCount { get; private init; }

    /// <summary>Gets the number of comparisons with one verdict in both orders.</summary>
    public int ConsistentCount { get; private init; }

    /// <summary>Gets the number of comparisons in which each answer won when it was shown first.</summary>
    public int FirstPlaceCount { get; private init; }

    /// <summary>Gets the number of comparisons in which each answer won when it was shown second.</summary>
    public int SecondPlaceCount { get; private init; }

    /// <summary>Gets the share of consistent comparisons among those with verdicts; NaN where there is none.</summary>
    public double Consistency => (double)ConsistentCount / (ComparisonCount - InvalidCount);

    /// <summary>Gets by how much the first place won more often than the second, as a share of the comparisons with verdicts: −1 to 1, 0 without bias; NaN where there is none.</summary>
    public double Bias => (double)(FirstPlaceCount - SecondPlaceCount) / (ComparisonCount - InvalidCount);

    /// <summary>Counts verdicts.</summary>
    /// <param name="verdicts">The verdicts of one judge.</param>
    /// <exception cref="ArgumentNullException"><paramref name="verdicts"/> or one of its items is null.</exception>
    public static PositionBiasReport Of(IEnumerable<PairwiseVerdict> verdicts)
    {
        ArgumentNullException.ThrowIfNull(verdicts);
        (int all, int invalid, int consistent, int first, int second) = (0, 0, 0, 0, 0);
        foreach (PairwiseVerdict verdict in verdicts)
        {
            ArgumentNullException.ThrowIfNull(verdict, nameof(verdicts));
            all++;
            invalid += verdict.Outcome is null ? 1 : 0;
            consistent += verdict.IsConsistent ? 1 : 0;
            first += verdict is { InOrder: PairwiseOutcome.First, Swapped: PairwiseOutcome.Second } ? 1 : 0;
            second += verdict is { InOrder: PairwiseOutcome.Second, Swapped: PairwiseOutcome.First } ? 1 : 0;
        }

        return new PositionBiasReport { ComparisonCount = all, InvalidCount = invalid, ConsistentCount = consistent, FirstPlaceCount = first, SecondPlaceCount = second };
    }
}
