// Trains a small model to improve its own answers: chains of drafts → scored pairs → ARIES training → next round.
//   dotnet run -c Release --project samples/QuickStart
using System.Globalization;
using System.Text.Json;
using Aries;
using QuickStart;
using Spectre.Console;

return await CommandLine.Create(RunAsync).Parse(args).InvokeAsync();

static async Task<int> RunAsync(Settings settings, CancellationToken cancellationToken)
{
    try
    {
        QuickStartTask task = await QuickStartTask.CreateAsync(settings, cancellationToken);
        await ShowAsync(task, settings, cancellationToken);
        return 0;
    }
    catch (Exception exception) when (exception is AriesException or ArgumentException or NotSupportedException or IOException or UnauthorizedAccessException)
    {
        Console.Error.WriteLine(exception.Message);
        return 1;
    }
    catch (OperationCanceledException)
    {
        Console.Error.WriteLine($"Stopped. The same command goes on in {settings.OutputPath}.");
        return 130;
    }
}

static async Task ShowAsync(QuickStartTask task, Settings settings, CancellationToken cancellationToken)
{
    Dictionary<Method, AriesRunResult> runs = [];
    Dictionary<string, double> parallel = [];
    await AnsiConsole.Progress().StartAsync(async progress =>
    {
        foreach (Method method in settings.Compare ? Enum.GetValues<Method>() : [Method.Aries])
        {
            string folder = Path.Combine(settings.OutputPath, method.ToString().ToLowerInvariant());
            runs[method] = await Experiment.RunAsync(task, settings, method, folder, [new LoopDisplay(progress, method.ToString())], cancellationToken);
        }

        if (settings.Compare)
        {
            foreach ((string name, PolicyCheckpoint checkpoint) in new[] { ("base", task.Base), ("ARIES", runs[Method.Aries].LastCheckpoint) })
            {
                parallel[$"{name}, vote of {settings.Turns}"] = await Experiment.ParallelAsync(task, settings, checkpoint, vote: true, cancellationToken);
                parallel[$"{name}, best of {settings.Turns} by the true score"] = await Experiment.ParallelAsync(task, settings, checkpoint, vote: false, cancellationToken);
            }
        }
    });

    AnsiConsole.Write(ResultTable(runs, settings));
    foreach ((string name, double right) in parallel)
    {
        AnsiConsole.MarkupLineInterpolated($"{name}: {LoopDisplay.Percent(right)} % right, at as many written tokens as a chain");
    }

    AnsiConsole.MarkupLineInterpolated($"Everything is in [bold]{Path.GetFullPath(settings.OutputPath)}[/]: chains, pairs, checkpoints, metrics and report.html.");
    if (settings.JsonFile is { } file)
    {
        await using FileStream stream = File.Create(file);
        await JsonSerializer.SerializeAsync(stream, new { settings, runs, parallel }, new JsonSerializerOptions { WriteIndented = true }, cancellationToken);
    }
}

static Table ResultTable(Dictionary<Method, AriesRunResult> runs, Settings settings)
{
    Table table = new Table().Title($"{settings.EvaluationPrompts} held-out prompts, right answers in percent");
    // Narrow enough for 80 columns.
    foreach (string name in (string[])["method", "round", "direct", "last turn", "greedy direct", "greedy last turn", "wrong → right", "right → wrong", "pairs"])
    {
        table.AddColumn(name, column => (column.NoWrap, column.Padding) = (name == "method", new Padding(1, 0, 0, 0)));
    }

    foreach ((Method method, AriesRunResult run) in runs)
    {
        foreach (RoundReport round in run.Rounds)
        {
            TurnReport? direct = round.Evaluation?.Turns[0];
            TurnReport? last = round.Evaluation?.Turns[^1];
            table.AddRow(
                method switch { Method.Aries => "ARIES", Method.IterativeDpo => "Iterative DPO", _ => "SFT only" },
                round.Round.ToString(CultureInfo.InvariantCulture),
                LoopDisplay.Percent(direct?.CorrectFraction),
                LoopDisplay.Percent(last?.CorrectFraction),
                LoopDisplay.Percent(round.GreedyEvaluation?.Turns[0].CorrectFraction),
                LoopDisplay.Percent(round.GreedyEvaluation?.Turns[^1].CorrectFraction),
                LoopDisplay.Percent(last?.WrongToRightFraction),
                LoopDisplay.Percent(last?.RightToWrongFraction),
                round.Pairs?.KeptCount.ToString(CultureInfo.InvariantCulture) ?? "–");
        }
    }

    return table;
}
