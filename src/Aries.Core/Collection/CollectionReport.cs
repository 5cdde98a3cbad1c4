namespace Aries;

/// <summary>Counts what a collection gave. Its owner adds each chain, those of an earlier, interrupted run included.</summary>
/// <threadsafety>Not synchronised.</threadsafety>
public sealed class CollectionReport
{
    private readonly SortedDictionary<string, int> _drops = new(StringComparer.Ordinal);

    /// <summary>Gets the number of chains.</summary>
    public int ChainCount { get; private set; }

    /// <summary>Gets the number of chains that failed.</summary>
    public int FailedCount { get; private set; }

    /// <summary>Gets the number of pairs that were kept.</summary>
    public int PairCount { get; private set; }

    /// <summary>Gets the number of pairs that were dropped.</summary>
    public int DropCount { get; private set; }

    /// <summary>Gets the number of dropped pairs of each reason, in the order of the reasons' names.</summary>
    public IReadOnlyDictionary<string, int> DropsByReason => _drops;

    /// <summary>Gets the tokens read and written by all chains.</summary>
    public TokenUsage Usage { get; private set; }

    /// <summary>Adds a chain.</summary>
    /// <param name="chain">The chain.</param>
    /// <exception cref="ArgumentNullException"><paramref name="chain"/> is null.</exception>
    public void Add(CollectedChain chain)
    {
        ArgumentNullException.ThrowIfNull(chain);
        ChainCount++;
        FailedCount += chain.Trace.StopReason == RefinementStopReason.Failed ? 1 : 0;
        PairCount += chain.Selection.Pairs.Count;
        DropCount += chain.Selection.Drops.Count;
        Usage += chain.Trace.Usage;
        foreach (string reason in chain.Selection.Drops)
        {
            _drops[reason] = _drops.GetValueOrDefault(reason) + 1;
        }
    }
}
