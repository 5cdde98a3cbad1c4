using Aries.Managed;
using Aries.Preferences;

namespace Aries.EndToEnd.Tests.Snippets;

/// <summary>The code of README.md.</summary>
public static class ReadmeSnippets
{
    public static async Task<string?> RefineAsync(string modelFolder)
    {
        #region refine
        using ManagedPolicyModel policy = await ManagedPolicyModel.LoadAsync(modelFolder); // Llama, Mistral, Qwen2, SmolLM2, …
        SelfRefiner refiner = new(policy, new AriesRefinement(turnCount: 3), new SelfRefinerOptions
        {
            Sampling = new SamplingOptions { Temperature = 0.7f, MaxTokens = 64, Seed = 1 },
            TokenBudget = 2000,
        });

        RefinementResult result = await refiner.RefineAsync("Why is the sky blue?");
        Console.WriteLine($"{result.Answer} ({result.Trace.Drafts.Count()} drafts, {result.Usage.TotalTokens} tokens, {result.StopReason})");
        #endregion
        return result.Answer;
    }

    public static async Task<AriesRunResult> TrainAsync(
        string modelFolder, IReadOnlyList<Prompt> prompts, IReadOnlyList<Prompt> heldOut, IRewardScorer scorer, string runFolder, AriesLoopOptions options)
    {
        #region train
        AriesLoop loop = new(
            new AriesLoopParts
            {
                Loader = new ManagedPolicyModelLoader(),
                Trainer = new ManagedPolicyTrainer(new ManagedTrainerOptions { Loss = new AriesLoss(), Lora = new LoraOptions { Rank = 16 } }),
                Strategy = new AriesRefinement(turnCount: 4),
                Scorer = scorer,
                Selector = new FilteredSelection(new RewardModelSelection()),
            },
            options);
        AriesRunResult run = await loop.RunAsync(
            new PolicyCheckpoint(modelFolder), new AriesLoopData { Prompts = prompts, EvaluationPrompts = heldOut }, runFolder);
        #endregion
        return run;
    }
}
