namespace Aries;

/// <summary>A response to score after a prompt.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record LogProbabilityRequest
{
    /// <summary>Creates a request.</summary>
    /// <param name="prompt">What was asked.</param>
    /// <param name="response">What was answered; its tokens, and the end token after them, are scored.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public LogProbabilityRequest(Prompt prompt, string response)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(response);
        (Prompt, Response) = (prompt, response);
    }

    /// <summary>Gets what was asked.</summary>
    public Prompt Prompt { get; }

    /// <summary>Gets what was answered.</summary>
    public string Response { get; }

    /// <summary>Gets whether the end token after the response is scored too.</summary>
    /// <value>The default is true, as in training. Set it to false for a response that was cut.</value>
    public bool IncludeEndToken { get; init; } = true;
}
