using Microsoft.Extensions.Logging;

namespace Aries;

internal sealed class LoggingObserver(ILogger logger) : IAriesLoopObserver
{
    public void OnRunStarted(string runFolder, AriesLoopOptions options) =>
        LoopLog.RunStarted(logger, runFolder, options.RoundCount, options.PromptsPerRound);

    public void OnRoundRestored(RoundReport report) => LoopLog.RoundRestored(logger, report.Round);

    public void OnStageStarted(int round, LoopStage stage, int itemCount, int doneCount) =>
        LoopLog.StageStarted(logger, round, stage, itemCount, doneCount);

    public void OnChain(int round, LoopStage stage, RefinementTrace trace)
    {
        if (trace.StopReason == RefinementStopReason.Failed)
        {
            LoopLog.ChainFailed(logger, round, stage, trace.Id, trace.Error);
        }
    }

    public void OnTrainingStep(int round, LoopStage stage, TrainingProgress progress) =>
        LoopLog.TrainingStep(logger, round, stage, progress.Step, progress.StepCount, progress.Metrics.GetValueOrDefault("loss", double.NaN));

    public void OnRoundCompleted(RoundReport report)
    {
        IReadOnlyList<TurnReport> turns = report.Evaluation?.Turns ?? [];
        LoopLog.RoundCompleted(
            logger,
            report.Round,
            report.Pairs?.KeptCount ?? 0,
            report.Training?.StepCount ?? 0,
            turns.Count == 0 ? null : turns[0].MeanScore,
            turns.Count == 0 ? null : turns[^1].MeanScore,
            report.Checkpoint.AdapterPath ?? report.Checkpoint.ModelPath);
    }

    public void OnRunCompleted(AriesRunResult result) => LoopLog.RunCompleted(logger, result.RunFolder, result.BestRound.Round);
}
