namespace QuickStart;

/// <summary>What the command line says; the defaults are those of the word problems, chosen on a development set.</summary>
internal sealed record Settings
{
    public string? ModelPath { get; init; }

    public string? PromptFile { get; init; }

    /// <summary>Gets what ranks the answers of <see cref="ModelPath"/>: the right number alone, or words of the solution too.</summary>
    public Reward Reward { get; init; }

    public string OutputPath { get; init; } = "runs/quickstart";

    public string? JsonFile { get; init; }

    public bool Compare { get; init; }

    public int Rounds { get; init; } = 3;

    public int PromptsPerRound { get; init; } = 2000;

    public int EvaluationPrompts { get; init; } = 400;

    public int Turns { get; init; } = 4;

    public float Temperature { get; init; } = 0.7f;

    public int MaxTokens { get; init; } = 32;

    public double Alpha { get; init; } = 0.8;

    public double Beta { get; init; } = 2;

    public double RefinementBeta { get; init; } = 0.5;

    public bool OneSided { get; init; }

    public float LearningRate { get; init; } = 1e-4f;

    public int BatchSize { get; init; } = 32;

    public int LoraRank { get; init; }

    public long Seed { get; init; } = 1;

    /// <summary>Gets the seed of the held-out problems: those of the reported results, or those that settings are chosen on.</summary>
    public int EvaluationSeed { get; init; } = TestSeed;

    /// <summary>The seed of the problems that settings were chosen on.</summary>
    public const int DevelopmentSeed = 1001;

    /// <summary>The seed of the problems that results are reported on.</summary>
    public const int TestSeed = 2002;
}
