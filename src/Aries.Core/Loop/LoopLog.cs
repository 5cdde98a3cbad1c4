using Microsoft.Extensions.Logging;

namespace Aries;

/// <summary>The loop's log messages. Texts of prompts and responses are never logged.</summary>
internal static partial class LoopLog
{
    [LoggerMessage(1, LogLevel.Information, "The run in {RunFolder} starts: {RoundCount} rounds of {PromptsPerRound} prompts.")]
    public static partial void RunStarted(ILogger logger, string runFolder, int roundCount, int promptsPerRound);

    [LoggerMessage(2, LogLevel.Information, "Round {Round} was committed before.")]
    public static partial void RoundRestored(ILogger logger, int round);

    [LoggerMessage(3, LogLevel.Information, "Round {Round}, {Stage}: {ItemCount} items, {DoneCount} of them done before.")]
    public static partial void StageStarted(ILogger logger, int round, LoopStage stage, int itemCount, int doneCount);

    [LoggerMessage(4, LogLevel.Warning, "Round {Round}, {Stage}: the chain {ChainId} failed: {Error}")]
    public static partial void ChainFailed(ILogger logger, int round, LoopStage stage, string chainId, string? error);

    [LoggerMessage(5, LogLevel.Debug, "Round {Round}, {Stage}: step {Step} of {StepCount}, loss {Loss}.")]
    public static partial void TrainingStep(ILogger logger, int round, LoopStage stage, int step, int stepCount, double loss);

    [LoggerMessage(6, LogLevel.Information, "Round {Round} is committed: {PairCount} pairs, {StepCount} steps; direct {DirectScore}, refined {RefinedScore} on the held-out prompts; {Checkpoint}.")]
    public static partial void RoundCompleted(
        ILogger logger, int round, int pairCount, int stepCount, double? directScore, double? refinedScore, string checkpoint);

    [LoggerMessage(7, LogLevel.Information, "The run in {RunFolder} is complete; the best round is {BestRound}.")]
    public static partial void RunCompleted(ILogger logger, string runFolder, int bestRound);
}
