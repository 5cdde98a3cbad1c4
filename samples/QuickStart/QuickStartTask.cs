using Aries;

namespace QuickStart;

/// <summary>What the loop is run on: a base model, prompts, and the scorers that rank and judge answers.</summary>
internal sealed record QuickStartTask
{
    public required PolicyCheckpoint Base { get; init; }

    public required AriesLoopData Data { get; init; }

    public required RefinementTemplate Template { get; init; }

    /// <summary>Gets what ranks the drafts of a chain.</summary>
    public required IRewardScorer Scorer { get; init; }

    /// <summary>Gets what an answer is judged by: 1 when it is right.</summary>
    public required IRewardScorer TrueScorer { get; init; }

    public required IAnswerExtractor Extractor { get; init; }

    /// <summary>The task that the settings ask for: the word problems, or a model and questions of the user's own.</summary>
    public static async Task<QuickStartTask> CreateAsync(Settings settings, CancellationToken cancellationToken) =>
        (settings.ModelPath, settings.PromptFile, settings.Reward) switch
        {
            ({ } model, _, _) => await OwnModelAsync(settings, model, cancellationToken),
            (null, null, Reward.Exact) => WordProblems(settings),
            _ => throw new ArgumentException("--prompts and --reward need --model: the small base model answers word problems alone."),
        };

    private static QuickStartTask WordProblems(Settings settings)
    {
        HashSet<string> used = [];
        List<WordProblem> evaluation = WordProblem.Generate(settings.EvaluationSeed, settings.EvaluationPrompts, used);
        List<WordProblem> learning = WordProblem.Generate(unchecked((int)settings.Seed), settings.Rounds * settings.PromptsPerRound, used);
        List<WordProblem> all = [.. evaluation, .. learning];
        return new QuickStartTask
        {
            Base = new PolicyCheckpoint(Path.Combine(AppContext.BaseDirectory, "model")),
            Data = new AriesLoopData
            {
                Prompts = [.. learning.Select(problem => new Prompt(problem.Question))],
                EvaluationPrompts = [.. evaluation.Select(problem => new Prompt(problem.Question))],
            },
            Template = WordProblemScorer.Template,
            Scorer = new WordProblemScorer(all, countWorkings: true),
            TrueScorer = new WordProblemScorer(all, countWorkings: false),
            Extractor = new DelegateAnswerExtractor(WordProblemScorer.ExtractAnswer),
        };
    }

    // Questions in GSM8K's format: the first ones are held out, the rounds take the others in order; right is the number that the file gives.
    private static async Task<QuickStartTask> OwnModelAsync(Settings settings, string model, CancellationToken cancellationToken)
    {
        string file = settings.PromptFile ?? throw new ArgumentException("--model needs --prompts, a JSONL file of questions and answers in GSM8K's format.");
        List<PromptRecord> records = await PromptJsonl.ReadAsync(file, cancellationToken).ToListAsync(cancellationToken);
        ExactMatchScorer scorer = ExactMatchScorer.ForGsm8k(records);
        return new QuickStartTask
        {
            Base = new PolicyCheckpoint(model),
            Data = new AriesLoopData
            {
                EvaluationPrompts = [.. records.Take(settings.EvaluationPrompts).Select(record => record.Prompt)],
                Prompts = [.. records.Skip(settings.EvaluationPrompts).Select(record => record.Prompt)],
            },
            Template = RefinementTemplate.Default,
            Scorer = settings.Reward == Reward.Overlap ? new SolutionOverlapScorer(scorer, records) : scorer,
            TrueScorer = scorer,
            Extractor = Gsm8kAnswerExtractor.Flexible,
        };
    }
}
