namespace Aries;

/// <summary>Watches an <see cref="AriesLoop"/>: progress, logs, metrics. Every member does nothing unless it is implemented.</summary>
/// <remarks>
/// Members are called in order, never at once, on threads of the loop, which waits for them. What a member throws ends the run; the run folder stays fit to go on.
/// A run that goes on in its folder tells again only of what it does now, after <see cref="OnRoundRestored"/> for each round that was committed before.
/// </remarks>
public interface IAriesLoopObserver
{
    /// <summary>Called once, when the folder is open and its identity is checked.</summary>
    /// <param name="runFolder">The run folder.</param>
    /// <param name="options">The loop's options; not to be changed.</param>
    void OnRunStarted(string runFolder, AriesLoopOptions options)
    {
    }

    /// <summary>Called for each round that an earlier process committed.</summary>
    /// <param name="report">The round.</param>
    void OnRoundRestored(RoundReport report)
    {
    }

    /// <summary>Called when a part of a round starts or goes on.</summary>
    /// <param name="round">The round; 0 before the first.</param>
    /// <param name="stage">The part.</param>
    /// <param name="itemCount">How many chains or training rows it has in all.</param>
    /// <param name="doneCount">How many chains an earlier process did; 0 for a training, which tells of its steps.</param>
    void OnStageStarted(int round, LoopStage stage, int itemCount, int doneCount)
    {
    }

    /// <summary>Called when a chain is stored, in the order of the prompts.</summary>
    /// <param name="round">The round.</param>
    /// <param name="stage">A collection or an evaluation.</param>
    /// <param name="trace">The chain.</param>
    void OnChain(int round, LoopStage stage, RefinementTrace trace)
    {
    }

    /// <summary>Called after each optimiser step.</summary>
    /// <param name="round">The round.</param>
    /// <param name="stage">Which training.</param>
    /// <param name="progress">The step and its metrics.</param>
    void OnTrainingStep(int round, LoopStage stage, TrainingProgress progress)
    {
    }

    /// <summary>Called when a part of a round is done and stored.</summary>
    /// <param name="round">The round.</param>
    /// <param name="stage">The part.</param>
    void OnStageCompleted(int round, LoopStage stage)
    {
    }

    /// <summary>Called when a round is committed.</summary>
    /// <param name="report">The round.</param>
    void OnRoundCompleted(RoundReport report)
    {
    }

    /// <summary>Called once, at the end of a run that was not stopped.</summary>
    /// <param name="result">The run.</param>
    void OnRunCompleted(AriesRunResult result)
    {
    }
}
