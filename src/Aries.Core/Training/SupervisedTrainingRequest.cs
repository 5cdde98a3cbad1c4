namespace Aries;

/// <summary>A request to learn given responses.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record SupervisedTrainingRequest : TrainingRequest
{
    /// <summary>Gets the examples; at least one.</summary>
    public required IReadOnlyList<SupervisedExample> Examples { get; init; }
}
