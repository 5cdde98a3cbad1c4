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
    public static QuickStartTask Create(Settings settings) =>
        settings.ModelPath is { } model ? OwnModel(settings, model) : WordProblems(settings);

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
}
