// A story model with real pretrained weights learns a simple preference, by DPO and by ARIES: stories in which somebody speaks.
//   dotnet run -c Release --project samples/StoryPreferences
using System.CommandLine;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Aries;
using Spectre.Console;
using StoryPreferences;

Console.OutputEncoding = Encoding.UTF8;
Settings defaults = new();
Option<int> rounds = Number("--rounds", "Rounds of writing, scoring and training, for each method.", defaults.Rounds);
Option<int> perRound = Number("--prompts-per-round", "Prompts a round, three stories each.", defaults.PromptsPerRound);
Option<int> evaluation = Number("--evaluation-prompts", "Held-out prompts; three of them are shown.", defaults.EvaluationPrompts);
Option<int> seed = Number("--seed", "Seed of the stories and of the training's order.", defaults.Seed);
Option<string> output = new("--output") { Description = "The folder of the runs; runs that are there go on.", DefaultValueFactory = _ => defaults.Output };
Option<string?> json = new("--json") { Description = "A file to write the numbers and the stories to." };
RootCommand command = new("Trains a story model to let its heroes speak, by DPO and by ARIES, and shows stories before and after.")
{
    rounds, perRound, evaluation, seed, output, json,
};
command.SetAction(async (parsed, cancellationToken) =>
{
    Settings settings = defaults with
    {
        Rounds = parsed.GetValue(rounds),
        PromptsPerRound = parsed.GetValue(perRound),
        EvaluationPrompts = parsed.GetValue(evaluation),
        Seed = parsed.GetValue(seed),
        Output = parsed.GetValue(output)!,
        JsonFile = parsed.GetValue(json),
    };
    try
    {
        await RunAsync(settings, cancellationToken);
        return 0;
    }
    catch (Exception exception) when (exception is AriesException or ArgumentException or IOException or UnauthorizedAccessException)
    {
        Console.Error.WriteLine(exception.Message);
        return 1;
    }
    catch (OperationCanceledException)
    {
        Console.Error.WriteLine($"Stopped. The same command goes on in {settings.Output}.");
        return 130;
    }
});
return await command.Parse(args).InvokeAsync();

static Option<int> Number(string name, string description, int value) => new(name) { Description = description, DefaultValueFactory = _ => value };

static async Task RunAsync(Settings settings, CancellationToken cancellationToken)
{
    settings.Validate();
    Stopwatch watch = Stopwatch.StartNew();
    StoryTrial trial = new(settings);
    List<Measurement> measurements = [];
    await AnsiConsole.Progress().StartAsync(async progress =>
    {
        measurements.Add(await trial.MeasureAsync("base", StoryTrial.Base, cancellationToken));
        foreach ((string name, bool refine) in new[] { ("DPO", false), ("ARIES", true) })
        {
            PolicyCheckpoint checkpoint = await trial.TrainAsync(name, refine, progress, cancellationToken);
            measurements.Add(await trial.MeasureAsync(name, checkpoint, cancellationToken));
        }
    });

    ShowStories(trial.HeldOut, measurements);
    ShowTable(measurements);
    AnsiConsole.MarkupLineInterpolated($"{watch.Elapsed.TotalSeconds:F0} s. Stories, pairs, checkpoints and reports are in [bold]{Path.GetFullPath(settings.Output)}[/].");
    if (settings.JsonFile is { } file)
    {
        await using FileStream stream = File.Create(file);
        var results = measurements.Select(measurement => new
        {
            method = measurement.Name,
            baseLogProbability = measurement.BaseLogProbability,
            scores = Enumerable.Range(0, Settings.Turns).Select(measurement.Turn),
            stories = measurement.Chains.Select(chain => chain.Drafts.Select(draft => draft.Text)),
        });
        await JsonSerializer.SerializeAsync(
            stream, new { settings, prompts = trial.HeldOut.Select(prompt => prompt.Question), results }, new JsonSerializerOptions { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase }, cancellationToken);
    }
}

static void ShowStories(IReadOnlyList<Prompt> prompts, List<Measurement> measurements)
{
    for (int index = 0; index < Math.Min(3, prompts.Count); index++)
    {
        AnsiConsole.MarkupLineInterpolated($"\n[underline]{prompts[index].Question}[/]");
        foreach (Measurement measurement in measurements)
        {
            AnsiConsole.MarkupLineInterpolated($"[bold]{measurement.Name}[/]:{Measurement.Story(measurement.Chains[index], 0)} …");
        }

        AnsiConsole.MarkupLineInterpolated($"[bold]ARIES, refined[/]:{Measurement.Story(measurements[^1].Chains[index], Settings.Turns - 1)} …");
    }
}

static void ShowTable(List<Measurement> measurements)
{
    Table table = new Table().Title($"Speech in stories (0 none, 1 a third of the words or more), {measurements[0].Chains.Count} held-out prompts, mean ± standard error");
    table.AddColumns(["model", "direct", .. Enumerable.Range(2, Settings.Turns - 1).Select(turn => $"turn {turn}"), "log-prob. by base"]);
    foreach (Measurement measurement in measurements)
    {
        table.AddRow([measurement.Name, .. Enumerable.Range(0, Settings.Turns).Select(turn => measurement.Turn(turn).ToString()), measurement.BaseLogProbability.ToString()]);
    }

    AnsiConsole.Write(table);
    AnsiConsole.WriteLine("The last column is the direct stories' log-probability by the base model, in nats a token. It falls where stories lose the language that the base model learnt.");
}
