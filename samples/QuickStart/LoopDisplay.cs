using System.Globalization;
using Aries;
using Spectre.Console;

namespace QuickStart;

/// <summary>Shows a loop at work: a bar for each part of a round, and a line when the round is done.</summary>
internal sealed class LoopDisplay(ProgressContext progress, string name) : IAriesLoopObserver
{
    private ProgressTask? _task;

    public void OnRoundRestored(RoundReport report) => ShowRound(report, " (from the run folder)");

    public void OnStageStarted(int round, LoopStage stage, int itemCount, int doneCount)
    {
        string title = stage switch
        {
            LoopStage.Collection => "writing chains",
            LoopStage.Training => "training on pairs",
            LoopStage.Evaluation => "answering held-out prompts",
            LoopStage.GreedyEvaluation => "the same, greedily",
            _ => stage.ToString(),
        };
        _task = progress.AddTask($"{name}, round {round}: {title}", maxValue: itemCount);
        _task.Value = doneCount;
    }

    public void OnChain(int round, LoopStage stage, RefinementTrace trace) => _task?.Increment(1);

    public void OnTrainingStep(int round, LoopStage stage, TrainingProgress progress)
    {
        if (_task is { } task)
        {
            task.MaxValue = progress.StepCount;
            task.Value = progress.Step;
        }
    }

    public void OnStageCompleted(int round, LoopStage stage)
    {
        if (_task is { } task)
        {
            task.Value = task.MaxValue;
        }
    }

    public void OnRoundCompleted(RoundReport report) => ShowRound(report, "");

    /// <summary>Returns "47.9 → 88.7 → 85.6 → 84.0": the percentage of right answers turn by turn.</summary>
    public static string Accuracies(ChainsReport? chains) =>
        chains is null ? "" : string.Join(" → ", chains.Turns.Select(turn => Percent(turn.CorrectFraction)));

    public static string Percent(double? fraction) =>
        fraction is { } value ? (100 * value).ToString("F1", CultureInfo.InvariantCulture) : "–";

    private void ShowRound(RoundReport report, string remark)
    {
        TurnReport? second = report.Evaluation?.Turns.ElementAtOrDefault(1);
        string transitions = second is null ? "" : $"; wrong→right {Percent(second.WrongToRightFraction)} %, right→wrong {Percent(second.RightToWrongFraction)} % (turn 2)";
        string pairs = report.Pairs is not { } made
            ? ""
            : $"; pairs {made.KeptCount} kept{string.Concat(made.Drops.OrderBy(drop => drop.Key, StringComparer.Ordinal).Select(drop => $", {drop.Value} dropped ({drop.Key})"))}";
        AnsiConsole.MarkupLineInterpolated(
            $"[bold]{name}, round {report.Round}[/]{remark}: right by turn {Accuracies(report.Evaluation)} %, greedy {Accuracies(report.GreedyEvaluation)} %{transitions}{pairs}; {report.Duration.TotalSeconds:F0} s");
    }
}
