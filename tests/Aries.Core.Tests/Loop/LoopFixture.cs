using Aries.TestKit;

namespace Aries.Core.Tests;

/// <summary>A toy loop in a folder of its own: every part is new at each run, as in a new process.</summary>
internal sealed class LoopFixture : IDisposable
{
    public LoopFixture()
    {
        Directory.CreateDirectory(Root);
        Base = ToyCheckpoint.Write(Path.Combine(Root, "base"), 42);
        Parts = () => new AriesLoopParts
        {
            Loader = Loader,
            Trainer = Trainer,
            Strategy = new AriesRefinement(turnCount: 3),
            Selector = new ToySelector(),
            Scorer = ToyScorer.MeanDigit(),
            TrueScorer = ToyScorer.FirstDigit(),
            Observers = [Observer],
        };
    }

    public string Root { get; } = Path.Combine(Path.GetTempPath(), "aries-loop-" + Path.GetRandomFileName());

    public PolicyCheckpoint Base { get; }

    public ToyPolicyLoader Loader { get; private set; } = new();

    public ToyPolicyTrainer Trainer { get; private set; } = new();

    public RecordingObserver Observer { get; private set; } = new();

    public Func<AriesLoopParts> Parts { get; set; }

    public AriesLoopOptions Options { get; set; } = new() { RoundCount = 2, PromptsPerRound = 5, BatchSize = 2, EvaluateGreedy = true, Seed = 7 };

    public AriesLoopData Data { get; set; } = new()
    {
        Prompts = Prompts("learn", 10),
        EvaluationPrompts = Prompts("judge", 3),
        WarmUpPairs = [.. Prompts("label", 3).Select(prompt => new PreferencePair { Prompt = prompt, Chosen = "9", Rejected = "1" })],
        OfflinePairs = [.. Prompts("offline", 3).Select(prompt => new PreferencePair { Prompt = prompt, Chosen = "8", Rejected = "2" })],
    };

    public string Folder(string name = "run") => Path.Combine(Root, name);

    public static IReadOnlyList<Prompt> Prompts(string name, int count) => [.. Enumerable.Range(1, count).Select(i => new Prompt($"{name} {i}?"))];

    /// <summary>Runs with new parts, as a new process would.</summary>
    public Task<AriesRunResult> RunAsync(string name = "run", DurableFiles? files = null, CancellationTokenSource? cancellation = null, Action? prepare = null)
    {
        (Loader, Trainer, Observer) = (new ToyPolicyLoader(), new ToyPolicyTrainer(), new RecordingObserver());
        prepare?.Invoke();
        AriesLoop loop = new(Parts(), Options, new StoppedTimeProvider(), null, files ?? new FaultyFiles());
        return loop.RunAsync(Base, Data, Folder(name), cancellation?.Token ?? TestContext.Current.CancellationToken);
    }

    /// <summary>Returns every file of a run with its content, for comparison.</summary>
    public SortedDictionary<string, string> Snapshot(string name = "run") => new(
        Directory.EnumerateFiles(Folder(name), "*", SearchOption.AllDirectories)
            .ToDictionary(path => Path.GetRelativePath(Folder(name), path), path => Convert.ToHexString(File.ReadAllBytes(path))),
        StringComparer.Ordinal);

    public string[] Lines(params string[] path) => File.ReadAllLines(Path.Combine([Folder(), .. path]));

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
