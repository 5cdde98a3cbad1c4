// Makes the tables of docs/reproduction.md: every variant, several seeds, held-out prompts only.
//   dotnet run -c Release --project benchmarks/Aries.Reproduction -- [--minutes N] [--part I/N]
// With parts, N processes share the work; the last one to end writes the tables of all.
// Each run's numbers are a line of benchmarks/results/reproduction.jsonl; runs that are there are not made again.
using System.Diagnostics;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Aries;
using Aries.Reproduction;
using QuickStart;

double minutes = Option("--minutes") is { } limit ? double.Parse(limit, CultureInfo.InvariantCulture) : double.PositiveInfinity;
int[] part = [.. (Option("--part") ?? "0/1").Split('/').Select(number => int.Parse(number, CultureInfo.InvariantCulture))];
string root = FindRoot();
string results = Path.Combine(root, "benchmarks", "results", "reproduction.jsonl");
JsonSerializerOptions json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
Directory.CreateDirectory(Path.GetDirectoryName(results)!);
List<RunResult> runs = File.Exists(results) ? [.. File.ReadLines(results).Select(line => JsonSerializer.Deserialize<RunResult>(line)!)] : [];
Stopwatch clock = Stopwatch.StartNew();

// The methods first; then seed by seed, so that an early stop leaves every variant with the seeds it has.
IEnumerable<(Variant Variant, long Seed)> plan =
    (from variant in Variant.All
     from seed in Enumerable.Range(1, variant.SeedCount)
     orderby variant.Method == Method.Aries && variant != Variant.All[0], seed
     select (variant, (long)seed)).Where((_, index) => index % part[1] == part[0]);
foreach ((Variant variant, long seed) in plan.Where(item => !runs.Any(run => run.Variant == item.Variant.Name && run.Seed == item.Seed)))
{
    if (clock.Elapsed.TotalMinutes >= minutes)
    {
        break;
    }

    RunResult run = await RunAsync(variant, seed);
    runs.Add(run);
    await File.AppendAllTextAsync(results, JsonSerializer.Serialize(run, json) + "\n");
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"{clock.Elapsed.TotalMinutes:F1} min: {variant.Name}, seed {seed}: {string.Join(" ", run.Rounds.Select(round => $"[{Tables.Turns(round.Sampled)}]"))}"));
}

runs = [.. File.ReadLines(results).Select(line => JsonSerializer.Deserialize<RunResult>(line)!).OrderBy(run => run.Seed)];
string page = Path.Combine(root, "docs", "reproduction.md");
File.WriteAllText(page, Tables.Replace(File.ReadAllText(page), runs));
return 0;

string? Option(string name) => args.SkipWhile(argument => argument != name).Skip(1).FirstOrDefault();

static async Task<RunResult> RunAsync(Variant variant, long seed)
{
    Settings settings = variant.Settings with { Seed = seed };
    QuickStartTask task = await QuickStartTask.CreateAsync(settings, default);
    string folder = Directory.CreateTempSubdirectory("aries-reproduction-").FullName;
    try
    {
        AriesRunResult result = await Experiment.RunAsync(task, settings, variant.Method, folder, [], default);
        bool parallel = variant == Variant.All[0] || variant == Variant.All[1];
        return new RunResult(
            variant.Name,
            seed,
            [.. result.Rounds.Select(RoundResult.Of)],
            parallel ? await Experiment.ParallelAsync(task, settings, result.LastCheckpoint, vote: true, default) : null,
            parallel ? await Experiment.ParallelAsync(task, settings, result.LastCheckpoint, vote: false, default) : null);
    }
    finally
    {
        Directory.Delete(folder, recursive: true);
    }
}

static string FindRoot()
{
    DirectoryInfo? directory = new(AppContext.BaseDirectory);
    while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Aries.Core.sln")))
    {
        directory = directory.Parent;
    }

    return directory?.FullName ?? throw new DirectoryNotFoundException($"No folder above {AppContext.BaseDirectory} holds Aries.Core.sln.");
}
