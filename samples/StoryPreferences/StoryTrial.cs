using Aries;
using Aries.Managed;
using Aries.Preferences;
using Spectre.Console;

namespace StoryPreferences;

/// <summary>Trains the story model by one method and measures it; prompts, answers a prompt, learning rate and seeds are the same for all.</summary>
internal sealed class StoryTrial(Settings settings)
{
    // z, in plain text as the model knows it: the draft, and below it the first sentences again.
    private static readonly AriesRefinement Chain = new(Settings.Turns, new RefinementTemplate("Once upon a time, there was a story.{response}\n\n{question}"));
    private static readonly SamplingOptions Sampling = new() { Temperature = 0.8f, MaxTokens = Settings.MaxTokens };
    private readonly IReadOnlyList<Prompt> _prompts = StoryPrompts.Shuffle(seed: 0);

    /// <summary>Gets the prompts that nothing is learnt from.</summary>
    public IReadOnlyList<Prompt> HeldOut => [.. _prompts.Take(settings.EvaluationPrompts)];

    public static PolicyCheckpoint Base => new(Path.Combine(AppContext.BaseDirectory, "stories260K"));

    /// <summary>Runs rounds of ARIES, or of DPO on independent stories.</summary>
    public async Task<PolicyCheckpoint> TrainAsync(string name, bool refine, ProgressContext progress, CancellationToken cancellationToken)
    {
        AriesLoopParts parts = new()
        {
            Loader = new ManagedPolicyModelLoader(),
            Trainer = new ManagedPolicyTrainer(new ManagedTrainerOptions
            {
                Loss = refine
                    ? new AriesLoss(new AriesLossOptions { Alpha = 0.8, DpoBeta = settings.Beta, RefinementBeta = settings.RefinementBeta })
                    : new DpoLoss(new DpoLossOptions { Beta = settings.Beta }),
                LearningRate = new LearningRateOptions { Peak = settings.LearningRate, Decay = LearningRateDecay.Linear, WarmUpFraction = 0.1 },
                BatchSize = 16,
            }),
            Strategy = refine ? Chain : new ParallelSampling(Settings.Turns),
            Scorer = new DialogueScorer(),
            Selector = new RewardModelSelection(new RewardModelSelectionOptions { MinimumMargin = 0.1 }),
            Observers = [new TrialDisplay(progress, name)],
        };
        AriesLoopOptions options = new()
        {
            RoundCount = settings.Rounds,
            PromptsPerRound = settings.PromptsPerRound,
            Sampling = Sampling,
            BatchSize = 128,
            Template = Chain.Template,
            Seed = settings.Seed,
        };
        AriesLoopData data = new() { Prompts = [.. _prompts.Skip(settings.EvaluationPrompts)] };
        AriesRunResult result = await new AriesLoop(parts, options).RunAsync(Base, data, Path.Combine(settings.Output, name.ToLowerInvariant()), cancellationToken);
        return result.LastCheckpoint;
    }

    /// <summary>Writes a chain for each held-out prompt: a direct story and its refinements, with the same seeds whatever the model.</summary>
    public async Task<Measurement> MeasureAsync(string name, PolicyCheckpoint checkpoint, CancellationToken cancellationToken)
    {
        using IPolicyModel policy = ManagedPolicyModel.Load(checkpoint.ModelPath);
        SelfRefinerOptions options = new() { Sampling = Sampling with { Seed = settings.Seed }, StopWhenUnchanged = false, OnFailure = FailureBehavior.Throw };
        IReadOnlyList<RefinementResult> results = await new SelfRefiner(policy, Chain, options).RefineAsync(HeldOut, cancellationToken);
        RefinementTrace[] chains = [.. results.Select(result => result.Trace)];

        // Most stories are cut by the limit, so their end does not count.
        using ManagedPolicyModel model = ManagedPolicyModel.Load(Base.ModelPath);
        IReadOnlyList<ResponseLogProbability> stories = await model.GetLogProbabilitiesAsync(
            [
                .. from chain in chains
                   let story = Measurement.Story(chain, turn: 0)
                   where story.Length > 0
                   select new LogProbabilityRequest(chain.Prompt, story) { IncludeEndToken = false },
            ],
            cancellationToken);
        return new Measurement(name, chains, [.. stories.Select(story => story.Sum / story.TokenIds.Count)]);
    }
}
