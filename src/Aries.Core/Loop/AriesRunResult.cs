namespace Aries;

/// <summary>What an <see cref="AriesLoop"/> came to.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record AriesRunResult
{
    /// <summary>Gets the run folder.</summary>
    public required string RunFolder { get; init; }

    /// <summary>Gets the rounds, round 0 first.</summary>
    public required IReadOnlyList<RoundReport> Rounds { get; init; }

    /// <summary>Gets the policy after the last round.</summary>
    public PolicyCheckpoint LastCheckpoint => Rounds[^1].Checkpoint;

    /// <summary>Gets the round whose last turn did best in the evaluation, the earliest among equals: by the share of right drafts, or where all are equal in that by the mean score. Without an evaluation, the last round.</summary>
    /// <remarks>The last round is often not the best. A choice by the evaluation prompts makes their numbers for that round too good: report on others.</remarks>
    public RoundReport BestRound => Rounds.Any(round => LastTurn(round)?.MeanScore is not null)
        ? Rounds.MaxBy(round => (LastTurn(round)?.CorrectFraction ?? double.NegativeInfinity, LastTurn(round)?.MeanScore ?? double.NegativeInfinity))!
        : Rounds[^1];

    /// <summary>Gets the policy after <see cref="BestRound"/>.</summary>
    public PolicyCheckpoint BestCheckpoint => BestRound.Checkpoint;

    private static TurnReport? LastTurn(RoundReport round) => round.Evaluation is { Turns.Count: > 0 } evaluation ? evaluation.Turns[^1] : null;
}
