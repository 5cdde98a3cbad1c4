namespace Aries;

/// <summary>What every training call is told.</summary>
/// <threadsafety>Immutable.</threadsafety>
public abstract record TrainingRequest
{
    /// <summary>Gets the weights to start from; never written to.</summary>
    public required PolicyCheckpoint Policy { get; init; }

    /// <summary>Gets the folder that the trained checkpoint is written to: it appears whole or not at all. It must not exist yet. What is written aside meanwhile has this path, a dot and more as its name, so that whoever asked can remove what a killed process left.</summary>
    public required string OutputPath { get; init; }

    /// <summary>Gets the template z of refinement sequences.</summary>
    public required RefinementTemplate Template { get; init; }

    /// <summary>Gets a folder for what a stopped training needs to go on, or null to start over after a stop. A trainer that finds its own unfinished state there goes on from it, and refuses the state of another request.</summary>
    public string? StatePath { get; init; }

    /// <summary>Gets the seed of all that is random in the training: order, adapter initialisation.</summary>
    public long Seed { get; init; }
}
