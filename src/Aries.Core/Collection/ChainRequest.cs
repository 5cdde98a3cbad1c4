namespace Aries;

/// <summary>A chain to collect.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record ChainRequest
{
    /// <summary>Creates a request.</summary>
    /// <param name="id">The chain's name, unique within its run. Seeds derive from it: the same name and prompt give the same chain, whatever was collected before.</param>
    /// <param name="prompt">What is asked.</param>
    /// <exception cref="ArgumentException"><paramref name="id"/> is null or empty, or <paramref name="prompt"/> is null or blank.</exception>
    public ChainRequest(string id, Prompt prompt)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(id);
        ArgumentNullException.ThrowIfNull(prompt);
        if (prompt.IsBlank)
        {
            throw new ArgumentException($"The prompt of the chain \"{id}\" is blank: its last turn holds nothing but white space.", nameof(prompt));
        }

        (Id, Prompt) = (id, prompt);
    }

    /// <summary>Gets the chain's name.</summary>
    public string Id { get; }

    /// <summary>Gets what is asked.</summary>
    public Prompt Prompt { get; }
}
