using Aries.Managed;
using Aries.Preferences;

namespace Aries.EndToEnd.Tests.Snippets;

/// <summary>The code of docs/guides/train-your-own-model.md.</summary>
internal static class OwnTraining
{
    public static async Task<TrainingResult> WarmUpAsync(string modelFolder, IReadOnlyList<PreferencePair> pairs, string warmFolder, string stateFolder, CancellationToken cancellationToken)
    {
        #region warm-up
        ManagedPolicyTrainer trainer = new(new ManagedTrainerOptions
        {
            EpochCount = 3,
            BatchSize = 8,
            LearningRate = new LearningRateOptions { Peak = 5e-4, WarmUpFraction = 0.1, Decay = LearningRateDecay.Cosine },
        });
        TrainingResult warm = await trainer.TrainSupervisedAsync(
            new SupervisedTrainingRequest
            {
                Policy = new PolicyCheckpoint(modelFolder),
                Examples = [.. SupervisedExample.FromPairs(pairs)], // each pair: the good answer, and the good answer as a refinement of the bad one
                Template = RefinementTemplate.Default,
                OutputPath = warmFolder,
                StatePath = stateFolder, // a stopped training goes on from here
            },
            cancellationToken: cancellationToken);
        #endregion
        return warm;
    }

    public static async Task<TrainingResult> TrainAdapterAsync(PolicyCheckpoint start, IReadOnlyList<PreferencePair> pairs, string adapterFolder, CancellationToken cancellationToken)
    {
        #region adapter
        ManagedPolicyTrainer trainer = new(new ManagedTrainerOptions
        {
            Loss = new WeightedLoss(
                new(new AriesLoss(new AriesLossOptions { Alpha = 0.5 }), 1),
                new(new SupervisedLoss(), 0.1)), // keeps the chosen answer likely
            Lora = new LoraOptions { Rank = 8, Alpha = 16, Targets = LoraProjections.Attention },
            LearningRate = new LearningRateOptions { Peak = 1e-3 },
            BatchSize = 8,
        });
        TrainingResult trained = await trainer.TrainPreferencesAsync(
            new PreferenceTrainingRequest
            {
                Policy = start,
                Reference = start, // the model without the adapter
                Pairs = pairs,
                Template = RefinementTemplate.Default,
                OutputPath = adapterFolder,
            },
            progress => Console.WriteLine($"{progress.Step}: {progress.Metrics[PreferenceMetricNames.RewardMargins]:F3}"),
            cancellationToken);
        #endregion
        return trained;
    }

    public static async Task<IReadOnlyList<PreferencePair>> ReadDataAsync(string promptFile, string pairFile)
    {
        #region data
        List<PromptRecord> records = [];
        await foreach (PromptRecord record in PromptJsonl.ReadAsync(promptFile)) // {"prompt": …} or GSM8K's {"question": …, "answer": …}
        {
            records.Add(record);
        }

        List<PreferencePair> pairs = [];
        await foreach (PreferencePair pair in PreferenceJsonl.ReadAsync(pairFile)) // {"prompt": …, "chosen": …, "rejected": …}
        {
            pairs.Add(pair);
        }

        ExactMatchScorer scorer = ExactMatchScorer.ForGsm8k(records); // 1 where the last number of a response is the answer's
        #endregion
        Assert.NotNull(scorer);
        return pairs;
    }
}
