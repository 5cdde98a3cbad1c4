namespace Aries;

/// <summary>All chains of a batch of two or more failed in the same way: the engine is at fault, not a prompt. The batch was not stored.</summary>
/// <remarks>Single chains that fail do not end a run: reports count them.</remarks>
/// <threadsafety>Immutable.</threadsafety>
public sealed class ChainsFailedException : AriesException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="round">The round.</param>
    /// <param name="stage">The part of the round.</param>
    /// <param name="chainCount">How many chains failed.</param>
    /// <param name="error">The failure of each.</param>
    public ChainsFailedException(int round, LoopStage stage, int chainCount, string? error)
        : base($"Round {round}, {stage}: all {chainCount} chains of a batch failed with \"{error}\". Mend the cause and run again: the run goes on with this batch.")
    {
        (Round, Stage, ChainCount, Error) = (round, stage, chainCount, error);
    }

    /// <summary>Gets the round.</summary>
    public int Round { get; }

    /// <summary>Gets the part of the round.</summary>
    public LoopStage Stage { get; }

    /// <summary>Gets how many chains failed.</summary>
    public int ChainCount { get; }

    /// <summary>Gets the failure of each.</summary>
    public string? Error { get; }
}
