namespace StoryPreferences;

/// <summary>What the command line says, and what was chosen for this model and this measure.</summary>
internal sealed record Settings
{
    public int Rounds { get; init; } = 2;

    public int PromptsPerRound { get; init; } = 128;

    public int EvaluationPrompts { get; init; } = 128;

    public int Seed { get; init; } = 1;

    public string Output { get; init; } = "runs/stories";

    public string? JsonFile { get; init; }

    public double Beta { get; init; } = 0.1;

    public double RefinementBeta { get; init; } = 0.05;

    public double LearningRate { get; init; } = 2e-4;

    /// <summary>Stories a prompt: a direct one and its refinements, or as many direct ones for DPO.</summary>
    public const int Turns = 3;

    public const int MaxTokens = 80;

    public void Validate()
    {
        if (EvaluationPrompts < 2)
        {
            throw new ArgumentOutOfRangeException(nameof(EvaluationPrompts), EvaluationPrompts, "--evaluation-prompts must be 2 or more: one gives no standard error.");
        }
    }
}
