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

    public double LearningRate { get; init; } = 3e-4;

    public const int Turns = 3;

    public const int MaxTokens = 80;
}
