namespace Aries.Core.Tests;

/// <summary>Writes down what it is told, and may throw.</summary>
internal sealed class RecordingObserver : IAriesLoopObserver
{
    public List<string> Events { get; } = [];

    public Action<string>? OnEvent { get; set; }

    public void OnRunStarted(string runFolder, AriesLoopOptions options) => Record("run started");

    public void OnRoundRestored(RoundReport report) => Record($"{report.Round} restored");

    public void OnStageStarted(int round, LoopStage stage, int itemCount, int doneCount) => Record($"{round} {stage} {itemCount} items {doneCount} done");

    public void OnChain(int round, LoopStage stage, RefinementTrace trace) => Record($"{round} chain {trace.Id}");

    public void OnTrainingStep(int round, LoopStage stage, TrainingProgress progress) => Record($"{round} {stage} step {progress.Step}");

    public void OnStageCompleted(int round, LoopStage stage) => Record($"{round} {stage} completed");

    public void OnRoundCompleted(RoundReport report) => Record($"{report.Round} committed");

    public void OnRunCompleted(AriesRunResult result) => Record("run completed");

    private void Record(string text)
    {
        Events.Add(text);
        OnEvent?.Invoke(text);
    }
}
