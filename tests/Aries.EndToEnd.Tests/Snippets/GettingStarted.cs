using Aries.Managed;
using Aries.Preferences;

namespace Aries.EndToEnd.Tests.Snippets;

/// <summary>The code of docs/getting-started.md.</summary>
internal static class GettingStarted
{
    public static async Task<RefinementResult> RefineAsync(string modelFolder)
    {
        #region refine
        using ManagedPolicyModel policy = ManagedPolicyModel.Load(modelFolder);
        SelfRefiner refiner = new(policy, new AriesRefinement(turnCount: 3), new SelfRefinerOptions
        {
            Sampling = new SamplingOptions { Temperature = 0.7f, MaxTokens = 64, Seed = 1 },
        });

        RefinementResult result = await refiner.RefineAsync("Tell a story about a cat.");

        Console.WriteLine(result.Answer);
        #endregion
        return result;
    }

    public static async Task<RefinementResult?> StreamAsync(SelfRefiner refiner)
    {
        RefinementResult? result = null;
        #region stream
        await foreach (RefinementUpdate update in refiner.RefineStreamingAsync("Tell a story about a cat."))
        {
            switch (update)
            {
                case StepTextUpdate text:
                    Console.Write(text.Text);
                    break;
                case StepCompletedUpdate step:
                    Console.WriteLine($" ({step.Step.Usage.ResponseTokens} tokens)");
                    break;
                case RefinementCompletedUpdate completed:
                    result = completed.Result;
                    break;
            }
        }
        #endregion
        return result;
    }

    public static async Task<RefinementResult> ScoreAsync(IPolicyModel policy)
    {
        #region score
        DelegateRewardScorer scorer = new((prompt, response) => response.Contains("cat", StringComparison.OrdinalIgnoreCase) ? 1 : 0, "names the cat");
        SelfRefiner refiner = new(policy, new AriesRefinement(), new SelfRefinerOptions
        {
            Sampling = new SamplingOptions { Temperature = 0.7f, MaxTokens = 64 },
            FinalAnswer = FinalAnswer.BestScored,
            ScoreThreshold = 1, // good enough: no further turn
            TokenBudget = 4000, // prompts and responses of the whole chain
        }, scorer);

        RefinementResult result = await refiner.RefineAsync("Tell a story about a cat.");
        #endregion
        return result;
    }

    public static async Task<CollectionReport> CollectAsync(IPolicyModel policy, IRewardScorer scorer, IReadOnlyList<Prompt> prompts, string pairFile)
    {
        #region collect
        PreferenceDataCollector collector = new(
            policy,
            new AriesRefinement(turnCount: 3),
            new FilteredSelection(new RewardModelSelection(), new PairFilterOptions { MinimumDistance = 0.1 }),
            new PreferenceDataCollectorOptions { Sampling = new SamplingOptions { Temperature = 0.7f, MaxTokens = 32, Seed = 1 } },
            scorer);
        CollectionReport report = new();
        List<PreferencePair> pairs = [];
        await foreach (CollectedChain chain in collector.CollectAsync(prompts))
        {
            report.Add(chain);
            pairs.AddRange(chain.Selection.Pairs);
        }

        await PreferenceJsonl.WriteAsync(pairFile, pairs);
        Console.WriteLine($"{report.PairCount} pairs of {report.ChainCount} chains; {report.DropCount} dropped.");
        #endregion
        return report;
    }

    public static async Task<TrainingResult> TrainAsync(string modelFolder, string pairFile, string trainedFolder)
    {
        #region train
        List<PreferencePair> pairs = [];
        await foreach (PreferencePair pair in PreferenceJsonl.ReadAsync(pairFile))
        {
            pairs.Add(pair);
        }

        ManagedPolicyTrainer trainer = new(new ManagedTrainerOptions
        {
            Loss = new AriesLoss(new AriesLossOptions { Alpha = 0.8, DpoBeta = 0.1, RefinementBeta = 0.1 }),
            LearningRate = new LearningRateOptions { Peak = 1e-4 }, // for a small model; large ones want 5e-7 to 5e-6
            BatchSize = 8,
        });
        PolicyCheckpoint start = new(modelFolder);
        TrainingResult trained = await trainer.TrainPreferencesAsync(
            new PreferenceTrainingRequest
            {
                Policy = start,
                Reference = start,
                Pairs = pairs,
                Template = RefinementTemplate.Default,
                OutputPath = trainedFolder,
            },
            progress => Console.WriteLine($"step {progress.Step} of {progress.StepCount}: loss {progress.Metrics["loss"]:F3}"));
        #endregion
        return trained;
    }

    public static async Task<AriesRunResult> RunLoopAsync(
        string modelFolder, IRewardScorer scorer, IReadOnlyList<Prompt> prompts, IReadOnlyList<Prompt> heldOutPrompts, string runFolder)
    {
        #region loop
        AriesLoopParts parts = new()
        {
            Loader = new ManagedPolicyModelLoader(),
            Trainer = new ManagedPolicyTrainer(new ManagedTrainerOptions { LearningRate = new LearningRateOptions { Peak = 1e-4 } }),
            Strategy = new AriesRefinement(turnCount: 3),
            Selector = new RewardModelSelection(),
            Scorer = scorer,
        };
        AriesLoop loop = new(parts, new AriesLoopOptions
        {
            RoundCount = 2,
            PromptsPerRound = prompts.Count / 2,
            Sampling = new SamplingOptions { Temperature = 0.7f, MaxTokens = 32 },
            Seed = 1,
        });
        AriesLoopData data = new() { Prompts = prompts, EvaluationPrompts = heldOutPrompts };

        AriesRunResult run = await loop.RunAsync(new PolicyCheckpoint(modelFolder), data, runFolder);

        foreach (RoundReport round in run.Rounds)
        {
            Console.WriteLine($"round {round.Round}: {string.Join(" → ", round.Evaluation!.Turns.Select(turn => $"{turn.MeanScore:F2}"))}");
        }
        #endregion
        return run;
    }
}
