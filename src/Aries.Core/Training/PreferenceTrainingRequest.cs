namespace Aries;

/// <summary>A request to learn preferences.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record PreferenceTrainingRequest : TrainingRequest
{
    /// <summary>Gets the frozen reference policy π_ref; often the policy that training starts from.</summary>
    public required PolicyCheckpoint Reference { get; init; }

    /// <summary>Gets the pairs; at least one.</summary>
    public required IReadOnlyList<PreferencePair> Pairs { get; init; }
}
