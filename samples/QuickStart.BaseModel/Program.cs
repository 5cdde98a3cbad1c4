// Makes the base model of QuickStart from random weights, the same one for the same seed and number of threads:
//   dotnet run -c Release --project samples/QuickStart.BaseModel -- OUTPUT [SEED]
// First it learns to answer directly, and stops while it still guesses many answers; then it learns to refine its own wrong answers (ARIES, Eq. 4).
// A stopped run goes on after its last whole stage.
using System.Globalization;
using Aries;
using Aries.Managed;
using QuickStart;
using QuickStart.BaseModel;

const int BatchSize = 128;
const int DirectSteps = 700;
const int RefinementStages = 6;
const int RefinementPairs = 6400;

if (args.Length is < 1 or > 2 || (args.Length == 2 && !int.TryParse(args[1], CultureInfo.InvariantCulture, out _)))
{
    Console.Error.WriteLine("Usage: QuickStart.BaseModel OUTPUT [SEED]");
    return 2;
}

string output = Path.GetFullPath(args[0]);
int seed = args.Length == 2 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 1;
string work = output + ".work";
Directory.CreateDirectory(work);

// Nothing that the model learns from is a problem that settings are chosen or results are reported on.
HashSet<string> heldOut = [];
_ = WordProblem.Generate(Settings.TestSeed, 5000, heldOut);
List<WordProblem> development = WordProblem.Generate(Settings.DevelopmentSeed, 400, heldOut);

string tokenizer = Path.Combine(work, "tokenizer");
Directory.CreateDirectory(tokenizer);
int vocabulary = WordTokenizer.Write(tokenizer, WordProblem.Vocabulary);
LlamaConfig config = new()
{
    ModelType = "llama",
    HiddenSize = 128,
    IntermediateSize = 384,
    LayerCount = 4,
    HeadCount = 4,
    KeyValueHeadCount = 2,
    HeadSize = 32,
    VocabularySize = vocabulary,
    ContextLength = 256,
    RmsNormEpsilon = 1e-5f,
    RopeTheta = 10000,
    TieEmbeddings = true,
    BeginTokenId = WordTokenizer.BeginId,
    EndTokenIds = [WordTokenizer.EndId],
};
PolicyCheckpoint policy = new(Path.Combine(work, "direct"));
if (!Directory.Exists(policy.ModelPath))
{
    policy = LlamaInitializer.Create(Path.Combine(work, "random"), config, tokenizer, seed);

    List<WordProblem> problems = WordProblem.Generate(seed, DirectSteps * BatchSize, new HashSet<string>(heldOut));
    policy = await TrainAsync(
        "direct",
        [.. problems.Select(problem => new SupervisedExample { Prompt = problem.Question, Response = problem.Answer })],
        learningRate: 2e-3,
        LearningRateDecay.Constant);
    await ReportAsync();
}

for (int stage = 1; stage <= RefinementStages; stage++)
{
    string name = $"refinement {stage}";
    if (Directory.Exists(Path.Combine(work, name)))
    {
        policy = new PolicyCheckpoint(Path.Combine(work, name));
        continue;
    }

    List<PreferencePair> pairs = await CollectWrongAnswersAsync(stage);
    policy = await TrainAsync(
        name,
        [.. SupervisedExample.FromPairs(pairs)],
        learningRate: 2e-3 / stage,
        stage == RefinementStages ? LearningRateDecay.Cosine : LearningRateDecay.Constant);
    await ReportAsync();
}

if (Directory.Exists(output))
{
    Directory.Delete(output, recursive: true);
}

Directory.Move(policy.ModelPath, output);
Directory.Delete(work, recursive: true);
Console.WriteLine($"The base model is in {output}.");
return 0;

async Task<PolicyCheckpoint> TrainAsync(string name, IReadOnlyList<SupervisedExample> examples, double learningRate, LearningRateDecay decay)
{
    ManagedPolicyTrainer trainer = new(new ManagedTrainerOptions
    {
        LearningRate = new LearningRateOptions { Peak = learningRate, Decay = decay, WarmUpFraction = 0.07 },
        Optimizer = new AdamWOptions { Beta2 = 0.98, WeightDecay = 0.01 },
        BatchSize = BatchSize,
    });
    SupervisedTrainingRequest request = new()
    {
        Policy = policy,
        Examples = examples,
        Template = WordProblemScorer.Template,
        OutputPath = Path.Combine(work, name),
        Seed = seed,
    };
    TrainingResult result = await trainer.TrainSupervisedAsync(request, progress =>
    {
        if (progress.Step % 50 == 0 || progress.Step == progress.StepCount)
        {
            Console.WriteLine(FormattableString.Invariant($"{name}: step {progress.Step} of {progress.StepCount}, loss {progress.Metrics["loss"]:F4}"));
        }
    });
    return result.Checkpoint;
}

// The model's own wrong answers to new problems, each with the right one.
async Task<List<PreferencePair>> CollectWrongAnswersAsync(int stage)
{
    List<PreferencePair> pairs = [];
    using ManagedPolicyModel model = ManagedPolicyModel.Load(policy.ModelPath);
    while (pairs.Count < RefinementPairs)
    {
        List<WordProblem> fresh = WordProblem.Generate(unchecked((seed * 1000) + (stage * 100) + pairs.Count), 1000, new HashSet<string>(heldOut));
        IReadOnlyList<Response> answers = await model.GenerateAsync(
            [.. fresh.Select((problem, index) => new GenerationRequest(problem.Question, new SamplingOptions { MaxTokens = 32, Seed = (stage * 1_000_000L) + pairs.Count + index }))]);
        foreach ((WordProblem problem, Response answer) in fresh.Zip(answers))
        {
            if (answer.FinishReason == FinishReason.Stop && answer.Text != problem.Answer)
            {
                pairs.Add(new PreferencePair { Prompt = problem.Question, Chosen = problem.Answer, Rejected = answer.Text });
            }
        }
    }

    return pairs[..RefinementPairs];
}

async Task ReportAsync()
{
    using ManagedPolicyModel model = ManagedPolicyModel.Load(policy.ModelPath);
    string line = "development problems, right in percent:";
    foreach (float temperature in new[] { 0f, 0.7f })
    {
        SelfRefiner refiner = new(
            model,
            new AriesRefinement(4, WordProblemScorer.Template),
            new SelfRefinerOptions { Sampling = new SamplingOptions { Temperature = temperature, MaxTokens = 32, Seed = 1 }, StopWhenUnchanged = false });
        IReadOnlyList<RefinementResult> results = await refiner.RefineAsync([.. development.Select(problem => new Prompt(problem.Question))]);
        line += FormattableString.Invariant($" T {temperature:F1}:");
        for (int turn = 0; turn < 4; turn++)
        {
            int right = development.Zip(results).Count(pair =>
                WordProblemScorer.ExtractAnswer(pair.Second.Trace.Drafts.ElementAt(turn).Text) == pair.First.Totals[^1].ToString(CultureInfo.InvariantCulture));
            line += FormattableString.Invariant($" {100.0 * right / development.Count:F1}");
        }
    }

    Console.WriteLine(line);
}
