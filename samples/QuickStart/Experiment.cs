using Aries;
using Aries.Managed;
using Aries.Preferences;

namespace QuickStart;

/// <summary>Runs a method on a task; all methods share prompts, evaluation and learning rate.</summary>
internal static class Experiment
{
    public static Task<AriesRunResult> RunAsync(
        QuickStartTask task, Settings settings, Method method, string runFolder, IReadOnlyList<IAriesLoopObserver> observers, CancellationToken cancellationToken)
    {
        AriesRefinement chain = new(settings.Turns, task.Template);
        AriesLoopParts parts = new()
        {
            Loader = new ManagedPolicyModelLoader(),
            Trainer = new ManagedPolicyTrainer(TrainerOptions(settings, method)),
            Strategy = method == Method.IterativeDpo ? new ParallelSampling(settings.Turns) : chain,
            EvaluationStrategy = chain,
            Scorer = task.Scorer,
            TrueScorer = task.TrueScorer,
            Selector = new FilteredSelection(new RewardModelSelection()),
            Observers = observers,
        };
        AriesLoopOptions options = new()
        {
            RoundCount = settings.Rounds,
            PromptsPerRound = settings.PromptsPerRound,
            Sampling = new SamplingOptions { Temperature = settings.Temperature, MaxTokens = settings.MaxTokens },
            EvaluateGreedy = true,
            BatchSize = 250,
            Template = task.Template,
            Seed = settings.Seed,
        };
        return new AriesLoop(parts, options).RunAsync(task.Base, task.Data, runFolder, cancellationToken);
    }

    private static ManagedTrainerOptions TrainerOptions(Settings settings, Method method) => new()
    {
        Loss = method switch
        {
            Method.Aries => new AriesLoss(new AriesLossOptions
            {
                Alpha = settings.Alpha,
                DpoBeta = settings.Beta,
                RefinementBeta = settings.RefinementBeta,
                TwoSided = !settings.OneSided,
            }),
            Method.IterativeDpo => new DpoLoss(new DpoLossOptions { Beta = settings.Beta }),
            _ => new AriesSupervisedLoss(LossNormalization.TokenMean),
        },
        Lora = settings.LoraRank == 0 ? null : new LoraOptions { Rank = settings.LoraRank, Alpha = 2 * settings.LoraRank },
        LearningRate = new LearningRateOptions { Peak = settings.LearningRate, Decay = LearningRateDecay.Linear, WarmUpFraction = 0.08 },
        Optimizer = new AdamWOptions { Beta2 = 0.98 },
        BatchSize = settings.BatchSize,
    };

    /// <summary>The share of held-out prompts whose chosen one of several direct answers is right: what the tokens of a chain buy without refinement.</summary>
    public static async Task<double> ParallelAsync(
        QuickStartTask task, Settings settings, PolicyCheckpoint checkpoint, bool vote, CancellationToken cancellationToken)
    {
        using IPolicyModel policy = ManagedPolicyModel.Load(checkpoint.ModelPath, new ManagedPolicyOptions { AdapterPath = checkpoint.AdapterPath });
        SamplingOptions sampling = new() { Temperature = settings.Temperature, MaxTokens = settings.MaxTokens, Seed = settings.Seed };
        SelfRefiner refiner = vote
            ? Baselines.MajorityVote(policy, settings.Turns, task.Extractor, sampling)
            : Baselines.BestOf(policy, settings.Turns, task.Scorer, sampling);
        IReadOnlyList<RefinementResult> results = await refiner.RefineAsync(task.Data.EvaluationPrompts, cancellationToken);
        IReadOnlyList<RewardScore> scores = await task.TrueScorer.ScoreAsync(
            [.. results.Select(result => new ScoringRequest(result.Trace.Prompt, result.Answer ?? ""))], cancellationToken);
        return scores.Average(score => score.Value >= 1 ? 1.0 : 0.0);
    }
}
