namespace Aries;

/// <summary>What is known of a policy model; asked for through <see cref="IPolicyModel.GetService(Type)"/>.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record PolicyModelMetadata
{
    /// <summary>Gets the backend's name, such as <c>aries.managed</c>.</summary>
    public required string ProviderName { get; init; }

    /// <summary>Gets the model's name, or null.</summary>
    public string? ModelId { get; init; }

    /// <summary>Gets the longest prompt and response together, in tokens, or null where it is not known.</summary>
    public int? ContextLength { get; init; }

    /// <summary>Gets whether prompts are rendered by a chat template; false where texts are joined as they are, null where it is not known.</summary>
    public bool? UsesChatTemplate { get; init; }
}
