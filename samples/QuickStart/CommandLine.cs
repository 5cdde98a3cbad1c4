using System.CommandLine;

namespace QuickStart;

/// <summary>The options of the command line.</summary>
internal static class CommandLine
{
    public static RootCommand Create(Func<Settings, CancellationToken, Task<int>> run)
    {
        Settings defaults = new();
        Option<string?> model = new("--model") { Description = "A Llama-family folder (Hugging Face layout) to train instead of the small base model; needs --prompts." };
        Option<string?> prompts = new("--prompts") { Description = "Questions and answers in GSM8K's JSONL format; the first ones are held out for the evaluation." };
        Option<Reward> reward = new("--reward") { Description = "With --model: Exact ranks answers by their number alone; Overlap adds up to half a point for words of the file's solution, so that wrong answers rank too." };
        Option<string> output = new("--output") { Description = "The run folder; a run that is there goes on.", DefaultValueFactory = _ => defaults.OutputPath };
        Option<string?> json = new("--json") { Description = "A file to write every number of the run to." };
        Option<bool> compare = new("--compare") { Description = "Also run Iterative DPO, supervised training only, best of N and vote of N." };
        Option<int> rounds = Number("--rounds", "Rounds of collecting and training.", defaults.Rounds);
        Option<int> perRound = Number("--prompts-per-round", "Prompts a round.", defaults.PromptsPerRound);
        Option<int> evaluation = Number("--evaluation-prompts", "Held-out prompts.", defaults.EvaluationPrompts);
        Option<int> turns = Number("--turns", "Answers a chain: one direct, the others refinements.", defaults.Turns);
        Option<float> temperature = Number("--temperature", "Temperature of the answers.", defaults.Temperature);
        Option<int> maxTokens = Number("--max-tokens", "The longest answer, in tokens.", defaults.MaxTokens);
        Option<double> alpha = Number("--alpha", "α, the share of the refinement loss; 0 is DPO on the chains' pairs.", defaults.Alpha);
        Option<double> beta = Number("--beta", "β of the DPO term.", defaults.Beta);
        Option<double> refinementBeta = Number("--refinement-beta", "β of the refinement term.", defaults.RefinementBeta);
        Option<bool> oneSided = new("--one-sided") { Description = "Only teach to rewrite the bad answer, not to keep the good one." };
        Option<float> learningRate = Number("--learning-rate", "The highest learning rate.", defaults.LearningRate);
        Option<int> batchSize = Number("--batch-size", "Pairs an optimiser step.", defaults.BatchSize);
        Option<int> loraRank = Number("--lora-rank", "Rank of a LoRA adapter; 0 trains all weights.", defaults.LoraRank);
        Option<bool> development = new("--development") { Description = "Judge on the problems that settings are chosen on, not on those that results are reported on." };
        Option<long> seed = Number("--seed", "Seed of the run: prompts, drafts and order.", defaults.Seed);

        RootCommand command = new("Trains a language model to improve its own answers, and shows by how much.")
        {
            model, prompts, reward, output, json, compare, rounds, perRound, evaluation, turns, temperature, maxTokens,
            alpha, beta, refinementBeta, oneSided, learningRate, batchSize, loraRank, development, seed,
        };
        command.SetAction((parsed, cancellationToken) => run(
            new Settings
            {
                ModelPath = parsed.GetValue(model),
                PromptFile = parsed.GetValue(prompts),
                Reward = parsed.GetValue(reward),
                OutputPath = parsed.GetValue(output)!,
                JsonFile = parsed.GetValue(json),
                Compare = parsed.GetValue(compare),
                Rounds = parsed.GetValue(rounds),
                PromptsPerRound = parsed.GetValue(perRound),
                EvaluationPrompts = parsed.GetValue(evaluation),
                Turns = parsed.GetValue(turns),
                Temperature = parsed.GetValue(temperature),
                MaxTokens = parsed.GetValue(maxTokens),
                Alpha = parsed.GetValue(alpha),
                Beta = parsed.GetValue(beta),
                RefinementBeta = parsed.GetValue(refinementBeta),
                OneSided = parsed.GetValue(oneSided),
                LearningRate = parsed.GetValue(learningRate),
                BatchSize = parsed.GetValue(batchSize),
                LoraRank = parsed.GetValue(loraRank),
                EvaluationSeed = parsed.GetValue(development) ? Settings.DevelopmentSeed : Settings.TestSeed,
                Seed = parsed.GetValue(seed),
            },
            cancellationToken));
        return command;
    }

    private static Option<T> Number<T>(string name, string description, T value) => new(name) { Description = description, DefaultValueFactory = _ => value };
}
