namespace Aries;

/// <summary>One prompt to answer, and how.</summary>
/// <threadsafety>Immutable but for its options, which nothing changes once the request is made.</threadsafety>
public sealed record GenerationRequest
{
    /// <summary>Creates a request.</summary>
    /// <param name="prompt">What is asked.</param>
    /// <param name="options">How tokens are drawn; null for the defaults. Copied and checked.</param>
    /// <exception cref="ArgumentNullException"><paramref name="prompt"/> is null.</exception>
    /// <exception cref="ArgumentException">An option is outside its range.</exception>
    public GenerationRequest(Prompt prompt, SamplingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        options?.Validate();
        Prompt = prompt;
        Options = options is null ? new SamplingOptions() : options.Copy();
    }

    private GenerationRequest(SamplingOptions options, Prompt prompt) => (Prompt, Options) = (prompt, options);

    /// <summary>Gets what is asked.</summary>
    public Prompt Prompt { get; }

    /// <summary>Gets how tokens are drawn.</summary>
    public SamplingOptions Options { get; }

    /// <summary>Gets a text that the response is expected to repeat in large part, as a rewrite repeats its draft.</summary>
    /// <value>
    /// The default is null: none is known. A hint: it never changes a response or its distribution, only how fast it comes, and a backend that has no use for it
    /// ignores it. A wrapper passes it on.
    /// </value>
    public string? Prediction { get; init; }

    /// <summary>Gets whether the response carries its tokens' log-probabilities.</summary>
    /// <value>The default is false. A backend that has none throws <see cref="NotSupportedException"/> when it is true.</value>
    public bool IncludeLogProbabilities { get; init; }

    /// <summary>Makes a request of options that are valid and that nothing changes any more: a chain makes many of one copy.</summary>
    internal static GenerationRequest Of(Prompt prompt, SamplingOptions options, string? prediction) => new(options, prompt) { Prediction = prediction };
}
