// Makes the base model of QuickStart from random weights, the same one for the same seed and number of threads:
//   dotnet run -c Release --project samples/QuickStart.BaseModel -- OUTPUT [SEED]
// First it learns to answer directly, until it works nine of ten problems out rightly; it still guesses most answers wrong then, since the answer comes first.
// Then it learns to refine its own wrong answers (ARIES, Eq. 4).
using System.Globalization;
using Aries;
using Aries.Managed;
using QuickStart;
using QuickStart.BaseModel;

const int BatchSize = 128;
const int StepsPerStage = 200;
const int RefinementStages = 3;
const int RefinementPairs = 6400;
const double WorkingsToReach = 0.9;

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
    HiddenSize = 64,
    IntermediateSize = 192,
    LayerCount = 4,
    HeadCount = 4,
    KeyValueHeadCount = 2,
    HeadSize = 16,
    VocabularySize = vocabulary,
    ContextLength = 256,
    RmsNormEpsilon = 1e-5f,
    RopeTheta = 10000,
    TieEmbeddings = true,
    BeginTokenId = WordTokenizer.BeginId,
    EndTokenIds = [WordTokenizer.EndId],
};
PolicyCheckpoint policy = LlamaInitializer.Create(Path.Combine(work, "random"), config, tokenizer, seed);

double workings = 0;
for (int stage = 1; workings < WorkingsToReach; stage++)
{
    List<WordProblem> problems = WordProblem.Generate((seed * 1000) + stage, StepsPerStage * BatchSize, new HashSet<string>(heldOut));
    SupervisedExample[] examples = [.. problems.Select(problem => new SupervisedExample { Prompt = problem.Question, Response = problem.Answer })];
    policy = await TrainAsync($"direct {stage}", examples, learningRate: 3e-3, LearningRateDecay.Constant, epochs: 1);
    workings = await ReportAsync();
}

for (int stage = 1; stage <= RefinementStages; stage++)
{
    List<PreferencePair> pairs = await CollectWrongAnswersAsync(stage);
    SupervisedExample[] examples = [.. SupervisedExample.FromPairs(pairs)];
    policy = await TrainAsync(
        $"refinement {stage}",
        examples,
        learningRate: 2e-3 / stage,
        stage == RefinementStages ? LearningRateDecay.Cosine : LearningRateDecay.Constant,
        epochs: StepsPerStage * BatchSize / examples.Length);
    _ = await ReportAsync();
}

if (Directory.Exists(output))
{
    Directory.Delete(output, recursive: true);
}

Directory.Move(policy.ModelPath, output);
Directory.Delete(work, recursive: true);
Console.WriteLine($"The base model is in {output}.");
return 0;

async Task<PolicyCheckpoint> TrainAsync(string name, IReadOnlyList<SupervisedExample> examples, double learningRate, LearningRateDecay decay, int epochs)
{
    ManagedPolicyTrainer trainer = new(new ManagedTrainerOptions
    {
        LearningRate = new LearningRateOptions { Peak = learningRate, Decay = decay, WarmUpFraction = 0.07 },
        Optimizer = new AdamWOptions { Beta2 = 0.98, WeightDecay = 0.01 },
        BatchSize = BatchSize,
        EpochCount = epochs,
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

// Prints the share of right answers turn by turn; returns that of direct greedy answers whose workings are right.
async Task<double> ReportAsync()
{
    using ManagedPolicyModel model = ManagedPolicyModel.Load(policy.ModelPath);
    string line = "development problems, right in percent:";
    double rightWorkings = 0;
    foreach (float temperature in new[] { 0f, 0.7f })
    {
        SelfRefiner refiner = new(
            model,
            new AriesRefinement(4, WordProblemScorer.Template),
            new SelfRefinerOptions { Sampling = new SamplingOptions { Temperature = temperature, MaxTokens = 32, Seed = 1 }, StopWhenUnchanged = false });
        IReadOnlyList<RefinementResult> results = await refiner.RefineAsync([.. development.Select(problem => new Prompt(problem.Question))]);
        if (temperature == 0)
        {
            rightWorkings = development.Zip(results).Average(pair => HasRightWorkings(pair.First, pair.Second.Trace.Drafts.First().Text) ? 1.0 : 0.0);
            line += FormattableString.Invariant($" workings {100 * rightWorkings:F1};");
        }

        line += FormattableString.Invariant($" T {temperature:F1}:");
        for (int turn = 0; turn < 4; turn++)
        {
            int right = development.Zip(results).Count(pair => WordProblemScorer.IsRight(pair.First, pair.Second.Trace.Drafts.ElementAt(turn).Text));
            line += FormattableString.Invariant($" {100.0 * right / development.Count:F1}");
        }
    }

    Console.WriteLine(line);
    return rightWorkings;
}

// All totals but the last: a model that guessed the answer wrong tends to end its workings with the guess.
static bool HasRightWorkings(WordProblem problem, string response) =>
    response.Split(':') is [_, string workings] && workings.StartsWith($" {string.Join(", ", problem.Totals.SkipLast(1))},", StringComparison.Ordinal);
