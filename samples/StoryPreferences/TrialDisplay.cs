using Aries;
using Spectre.Console;

namespace StoryPreferences;

/// <summary>Shows a bar for each part of a round, and a line when the round is done.</summary>
internal sealed class TrialDisplay(ProgressContext progress, string name) : IAriesLoopObserver
{
    private ProgressTask? _task;

    public void OnStageStarted(int round, LoopStage stage, int itemCount, int doneCount)
    {
        _task = progress.AddTask($"{name}, round {round}: {(stage == LoopStage.Collection ? "writing stories" : "training on pairs")}", maxValue: itemCount);
        _task.Value = doneCount;
    }

    public void OnChain(int round, LoopStage stage, RefinementTrace trace) => _task?.Increment(1);

    public void OnTrainingStep(int round, LoopStage stage, TrainingProgress progress)
    {
        if (_task is { } task)
        {
            (task.MaxValue, task.Value) = (progress.StepCount, progress.Step);
        }
    }

    public void OnStageCompleted(int round, LoopStage stage) => _task!.Value = _task.MaxValue;

    public void OnRoundRestored(RoundReport report) => OnRoundCompleted(report);

    public void OnRoundCompleted(RoundReport report)
    {
        if (report.Collection is { } stories)
        {
            string scores = string.Join(" → ", stories.Turns.Select(turn => FormattableString.Invariant($"{turn.MeanScore:F2}")));
            AnsiConsole.MarkupLineInterpolated($"[bold]{name}, round {report.Round}[/]: {stories.ChainCount} prompts, score by story {scores}, {report.Pairs!.KeptCount} pairs; {report.Duration.TotalSeconds:F0} s");
        }
    }
}
