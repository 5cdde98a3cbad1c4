namespace Aries;

/// <summary>An answer extractor made of a function.</summary>
/// <threadsafety>As thread-safe as the function.</threadsafety>
public sealed class DelegateAnswerExtractor : IAnswerExtractor
{
    private readonly Func<string, string?> _extract;

    /// <summary>Creates the extractor.</summary>
    /// <param name="extract">Returns the normalised answer of a response, or null where there is none.</param>
    /// <exception cref="ArgumentNullException"><paramref name="extract"/> is null.</exception>
    public DelegateAnswerExtractor(Func<string, string?> extract)
    {
        ArgumentNullException.ThrowIfNull(extract);
        _extract = extract;
    }

    /// <inheritdoc />
    public string? Extract(string response)
    {
        ArgumentNullException.ThrowIfNull(response);
        return _extract(response);
    }
}
