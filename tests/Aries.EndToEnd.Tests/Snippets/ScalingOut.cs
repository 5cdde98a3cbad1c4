using System.Text.Json.Nodes;
using Aries.Extensions.AI;
using Aries.Managed;
using Microsoft.Extensions.AI;

namespace Aries.EndToEnd.Tests.Snippets;

/// <summary>The code of docs/guides/scale-out.md and docs/guides/serving.md.</summary>
internal static class ScalingOut
{
    public static async Task<IReadOnlyList<CollectedChain>> CollectAsync(IReadOnlyList<IChatClient> clients, IReadOnlyList<Prompt> prompts, IRewardScorer scorer)
    {
        List<CollectedChain> chains = [];
        #region endpoints
        using BalancedPolicyModel policy = new(
            [.. clients.Select((client, i) => new PolicyEndpoint(
                $"server {i + 1}", new ChatClientPolicyModel(client, new ChatClientPolicyOptions { MaxConcurrency = 64 }), maxConcurrency: 64))],
            new BalancedPolicyOptions { AttemptTimeout = TimeSpan.FromMinutes(5), RetryAfter = ChatResilienceOptions.ReadRetryAfter },
            ownsPolicies: true);
        PreferenceDataCollector collector = new(
            policy,
            new AriesRefinement(turnCount: 4),
            new RewardModelSelection(),
            new PreferenceDataCollectorOptions { BatchSize = 512, Sampling = new SamplingOptions { Temperature = 0.7f, MaxTokens = 1024, Seed = 1 } },
            scorer);
        await foreach (CollectedChain chain in collector.CollectAsync(prompts))
        {
            chains.Add(chain); // in the prompts' order, whichever server answered
        }
        #endregion
        return chains;
    }

    public static ExternalPolicyTrainer CreateTrl()
    {
        #region trl
        ExternalPolicyTrainer trainer = new(
            new ExternalTrainerOptions
            {
                PreferenceCommand = new ExternalCommand
                {
                    FileName = "accelerate",
                    Arguments = ["launch", "--multi_gpu", "--num_processes", "8", "dpo.py", "{settings}"],
                    ResumeArguments = ["--resume"],
                },
                Settings = new JsonObject
                {
                    // For dpo.py itself.
                    ["model"] = "{model}",
                    ["reference"] = "{reference}",
                    ["data"] = "{data}",
                    ["output"] = "{output}",

                    // All others are DPOConfig's.
                    ["output_dir"] = "{work}",
                    ["seed"] = "{seed}",
                    ["beta"] = 0.1,
                    ["learning_rate"] = 5e-7,
                    ["per_device_train_batch_size"] = 1,
                    ["gradient_accumulation_steps"] = 4,
                    ["max_length"] = 2048,
                    ["bf16"] = true,
                    ["logging_steps"] = 1,
                    ["save_steps"] = 50,
                    ["save_total_limit"] = 2,
                    ["report_to"] = "none",
                },
            },
            new ManagedPolicyModelLoader());
        #endregion
        return trainer;
    }

    public static ExternalPolicyTrainer CreateOpenRlhf()
    {
        #region openrlhf
        ExternalPolicyTrainer trainer = new(
            new ExternalTrainerOptions
            {
                PreferenceCommand = new ExternalCommand
                {
                    FileName = "deepspeed",
                    Arguments =
                    [
                        "--module", "openrlhf.cli.train_dpo",
                        "--model.model_name_or_path", "{model}",
                        "--ref.model_name_or_path", "{reference}",
                        "--data.dataset", "{data}",
                        "--data.prompt_key", "prompt",
                        "--data.apply_chat_template",
                        "--data.max_len", "2048",
                        "--model.beta", "0.1",
                        "--adam.lr", "5e-7",
                        "--train.batch_size", "32",
                        "--train.micro_batch_size", "1",
                        "--train.seed", "{seed}",
                        "--ds.zero_stage", "3",
                        "--ds.param_dtype", "bf16",
                        "--logger.logging_steps", "1",
                        "--ckpt.path", "{work}",
                        "--ckpt.save_steps", "50",
                        "--ckpt.output_dir", "{output}",
                    ],
                    ResumeArguments = ["--ckpt.load_enable"],
                    ResumePattern = "global_step*",
                },
            },
            new ManagedPolicyModelLoader());
        #endregion
        return trainer;
    }

    public static async Task<IReadOnlyList<Response>> BatchAsync(string modelFolder, IReadOnlyList<Prompt> prompts)
    {
        #region batching
        using BatchingPolicyModel policy = new(
            await ManagedPolicyModel.LoadAsync(modelFolder), new BatchingPolicyOptions { MaxBatchSize = 32 }, ownsPolicy: true);
        SamplingOptions sampling = new() { Temperature = 0.7f, MaxTokens = 32, Seed = 1 };

        // Callers that know nothing of each other: what arrives while a pass runs is computed together in the next.
        Response[] responses = await Task.WhenAll(prompts.Select(prompt => policy.GenerateAsync(prompt, sampling)));
        #endregion
        return responses;
    }
}
