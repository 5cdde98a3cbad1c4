namespace Aries;

/// <summary>One turn of a <see cref="Prompt"/>.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record PromptTurn
{
    /// <summary>Creates a turn.</summary>
    /// <param name="role">Who speaks.</param>
    /// <param name="text">What is said; may be empty.</param>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is null.</exception>
    public PromptTurn(PromptRole role, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        (Role, Text) = (role, text);
    }

    /// <summary>Gets who speaks.</summary>
    public PromptRole Role { get; }

    /// <summary>Gets what is said.</summary>
    public string Text { get; }
}
