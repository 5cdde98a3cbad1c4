namespace Aries;

/// <summary>The score of one response, or why there is none.</summary>
/// <threadsafety>Immutable.</threadsafety>
public readonly record struct RewardScore
{
    private readonly double _value;

    /// <summary>Creates a score.</summary>
    /// <param name="value">The score; finite, higher is better.</param>
    /// <param name="diagnostic">What the scorer has to say about it, or null.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="value"/> is NaN or infinite.</exception>
    public RewardScore(double value, string? diagnostic = null)
    {
        if (!double.IsFinite(value))
        {
            throw new ArgumentOutOfRangeException(nameof(value), value, "A reward must be finite. Return RewardScore.Invalid(reason) for a response that cannot be scored.");
        }

        (_value, Diagnostic, IsValid) = (value, diagnostic, true);
    }

    private RewardScore(string reason) => Diagnostic = reason;

    /// <summary>Gets whether there is a score; the default value has none.</summary>
    public bool IsValid { get; }

    /// <summary>Gets the score.</summary>
    /// <exception cref="InvalidOperationException">There is none: <see cref="IsValid"/> is false.</exception>
    public double Value => IsValid ? _value : throw new InvalidOperationException($"The response has no score: {Diagnostic ?? "none was given"}.");

    /// <summary>Gets what the scorer has to say about the score, or why there is none.</summary>
    public string? Diagnostic { get; }

    /// <summary>Makes the result for a response that cannot be scored.</summary>
    /// <param name="reason">Why; shown in reports.</param>
    /// <exception cref="ArgumentException"><paramref name="reason"/> is null or empty.</exception>
    public static RewardScore Invalid(string reason)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        return new RewardScore(reason);
    }
}
