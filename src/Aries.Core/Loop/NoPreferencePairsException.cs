namespace Aries;

/// <summary>The chains of a round gave no preference pair to train on.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed class NoPreferencePairsException : AriesException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="round">The round; from 1.</param>
    /// <param name="chainCount">The chains that were collected.</param>
    /// <param name="failedCount">How many of them failed.</param>
    /// <param name="drops">How many pairs were dropped, by reason.</param>
    /// <param name="tracesPath">The file that holds the chains.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public NoPreferencePairsException(int round, int chainCount, int failedCount, IReadOnlyDictionary<string, int> drops, string tracesPath)
        : base(Describe(round, chainCount, failedCount, drops, tracesPath))
    {
        (Round, ChainCount, FailedCount, Drops) = (round, chainCount, failedCount, drops);
    }

    /// <summary>Gets the round; from 1.</summary>
    public int Round { get; }

    /// <summary>Gets how many chains were collected.</summary>
    public int ChainCount { get; }

    /// <summary>Gets how many chains failed.</summary>
    public int FailedCount { get; }

    /// <summary>Gets how many pairs were dropped, by reason.</summary>
    public IReadOnlyDictionary<string, int> Drops { get; }

    private static string Describe(int round, int chainCount, int failedCount, IReadOnlyDictionary<string, int> drops, string tracesPath)
    {
        ArgumentNullException.ThrowIfNull(drops);
        string reasons = drops.Count == 0 ? "none" : string.Join(", ", drops.OrderBy(drop => drop.Key, StringComparer.Ordinal).Select(drop => $"{drop.Key} {drop.Value}"));
        return $"Round {round} has no preference pair to train on: {chainCount} chains, {failedCount} of them failed; pairs dropped: {reasons}. "
            + $"Read \"{tracesPath}\" for why. To collect the round again, delete its folder; with other options, start another run.";
    }
}
