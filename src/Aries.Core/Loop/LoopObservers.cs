namespace Aries;

/// <summary>Tells several observers, in order.</summary>
internal sealed class LoopObservers(IReadOnlyList<IAriesLoopObserver> observers) : IAriesLoopObserver
{
    public void OnRunStarted(string runFolder, AriesLoopOptions options) => Each(observer => observer.OnRunStarted(runFolder, options));

    public void OnRoundRestored(RoundReport report) => Each(observer => observer.OnRoundRestored(report));

    public void OnStageStarted(int round, LoopStage stage, int itemCount, int doneCount) =>
        Each(observer => observer.OnStageStarted(round, stage, itemCount, doneCount));

    public void OnChain(int round, LoopStage stage, RefinementTrace trace) => Each(observer => observer.OnChain(round, stage, trace));

    public void OnTrainingStep(int round, LoopStage stage, TrainingProgress progress) => Each(observer => observer.OnTrainingStep(round, stage, progress));

    public void OnStageCompleted(int round, LoopStage stage) => Each(observer => observer.OnStageCompleted(round, stage));

    public void OnRoundCompleted(RoundReport report) => Each(observer => observer.OnRoundCompleted(report));

    public void OnRunCompleted(AriesRunResult result) => Each(observer => observer.OnRunCompleted(result));

    private void Each(Action<IAriesLoopObserver> tell)
    {
        foreach (IAriesLoopObserver observer in observers)
        {
            tell(observer);
        }
    }
}
