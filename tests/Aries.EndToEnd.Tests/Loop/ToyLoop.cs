using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

/// <summary>A whole loop with a toy engine and a toy trainer: warm-up, offline training, three rounds, evaluations.</summary>
internal static class ToyLoop
{
    public const string Kind = "toy";

    public static void Prepare(string root)
    {
        Directory.CreateDirectory(root);
        ToyCheckpoint.Write(Path.Combine(root, "base"), 42);
    }

    public static Task<AriesRunResult> RunAsync(string root, IAriesLoopObserver observer)
    {
        AriesLoop loop = new(
            new AriesLoopParts
            {
                Loader = new ToyPolicyLoader(),
                Trainer = new ToyPolicyTrainer(rowsPerStep: 3, stepsPerState: 2),
                Strategy = new AriesRefinement(turnCount: 3),
                Selector = new RewardModelSelection(),
                Scorer = ToyScorer.MeanDigit(),
                TrueScorer = ToyScorer.FirstDigit(),
                Observers = [observer],
            },
            new AriesLoopOptions { RoundCount = 3, PromptsPerRound = 24, BatchSize = 4, EvaluateGreedy = true, Seed = 11 },
            new StoppedTimeProvider());
        return loop.RunAsync(new PolicyCheckpoint(Path.Combine(root, "base")), Data(), Path.Combine(root, "run"));
    }

    private static AriesLoopData Data() => new()
    {
        Prompts = [.. Enumerable.Range(1, 72).Select(i => new Prompt($"learn {i}?"))],
        EvaluationPrompts = [.. Enumerable.Range(1, 6).Select(i => new Prompt($"judge {i}?"))],
        WarmUpPairs = [.. Enumerable.Range(1, 8).Select(i => new PreferencePair { Prompt = $"label {i}?", Chosen = "9", Rejected = $"{i % 5}" })],
        OfflinePairs = [.. Enumerable.Range(1, 8).Select(i => new PreferencePair { Prompt = $"offline {i}?", Chosen = "8", Rejected = $"{i % 5}" })],
    };
}
