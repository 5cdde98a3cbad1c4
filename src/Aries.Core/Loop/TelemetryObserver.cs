namespace Aries;

internal sealed class TelemetryObserver : IAriesLoopObserver
{
    public void OnTrainingStep(int round, LoopStage stage, TrainingProgress progress) => AriesTelemetry.RecordTrainingStep();

    public void OnRoundCompleted(RoundReport report) => AriesTelemetry.RecordRound(report.Duration);
}
