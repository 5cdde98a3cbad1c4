using Aries.Managed;
using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

/// <summary>A whole loop on the managed engine: a random Llama of two layers that really generates and trains, with all weights or a LoRA adapter.</summary>
internal static class LlamaLoop
{
    public const string FullKind = "llama";
    public const string LoraKind = "llama-lora";

    private static readonly LlamaConfig Config = new()
    {
        ModelType = "llama",
        HiddenSize = 32,
        IntermediateSize = 64,
        LayerCount = 2,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadSize = 8,
        VocabularySize = 512,
        ContextLength = 512,
        RmsNormEpsilon = 1e-5f,
        RopeTheta = 10000,
        TieEmbeddings = true,
        BeginTokenId = 1,
        EndTokenIds = [2],
    };

    public static void Prepare(string root)
    {
        Directory.CreateDirectory(root);
        LlamaInitializer.Create(BasePath(root), Config, TestData.Golden("stories260K-hf"), seed: 5);
    }

    public static Task<AriesRunResult> RunAsync(string root, bool lora, IAriesLoopObserver observer)
    {
        ManagedTrainerOptions training = new()
        {
            Lora = lora ? new LoraOptions { Rank = 4, Alpha = 8 } : null,
            BatchSize = 3,
            StateInterval = 1,
            LearningRate = new LearningRateOptions { Peak = 1e-3 },
        };
        AriesLoop loop = new(
            new AriesLoopParts
            {
                Loader = new ManagedPolicyModelLoader(),
                Trainer = new ManagedPolicyTrainer(training),
                Strategy = new AriesRefinement(turnCount: 3, new RefinementTemplate("{question} Draft: {response} Better:")),
                Selector = new RewardModelSelection(),
                // Any deterministic score serves: this is about files, not about quality.
                Scorer = new ToyScorer("letters", request => request.Response.Sum(unit => unit) % 101),
                Observers = [observer],
            },
            new AriesLoopOptions
            {
                RoundCount = 2,
                PromptsPerRound = 8,
                BatchSize = 4,
                Sampling = new SamplingOptions { Temperature = 0.8f, MaxTokens = 10 },
                EvaluateGreedy = true,
                Seed = 3,
            },
            new StoppedTimeProvider());
        AriesLoopData data = new()
        {
            Prompts = [.. Enumerable.Range(1, 16).Select(i => new Prompt($"Tell story {i}."))],
            EvaluationPrompts = [.. Enumerable.Range(1, 4).Select(i => new Prompt($"Tell tale {i}."))],
            WarmUpPairs = [.. Enumerable.Range(1, 4).Select(i => new PreferencePair { Prompt = $"Tell fable {i}.", Chosen = "Once upon a time.", Rejected = $"No {i}." })],
        };
        return loop.RunAsync(new PolicyCheckpoint(BasePath(root)), data, Path.Combine(root, "run"));
    }

    // Beside the runs, so that all have one base model: adapters name the base that they belong to.
    public static string BasePath(string root) => Path.Combine(Path.GetDirectoryName(root)!, "base");
}
