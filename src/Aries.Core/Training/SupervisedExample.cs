namespace Aries;

/// <summary>One sequence of supervised training: a prompt and the response to learn, directly or as the refinement of an earlier one.</summary>
/// <remarks>Only the response's tokens carry loss. ARIES, Eq. 4: a labelled triple gives a direct example and a refinement example.</remarks>
/// <threadsafety>Immutable.</threadsafety>
public sealed record SupervisedExample
{
    /// <summary>Gets x: what the user asked.</summary>
    public required Prompt Prompt { get; init; }

    /// <summary>Gets y_w: the response to learn.</summary>
    public required string Response { get; init; }

    /// <summary>Gets y_l: the earlier response that is refined; null for the direct mode.</summary>
    public string? PreviousResponse { get; init; }

    /// <summary>Expands labelled triples by ARIES, Eq. 4: −log π(y_w|x) − log π(y_w|x,y_l,z).</summary>
    /// <param name="pairs">The triples.</param>
    /// <returns>Two examples a triple: direct, then refinement.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="pairs"/> is null.</exception>
    public static IEnumerable<SupervisedExample> FromPairs(IEnumerable<PreferencePair> pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return pairs.SelectMany(pair => new[]
        {
            new SupervisedExample { Prompt = pair.Prompt, Response = pair.Chosen },
            new SupervisedExample { Prompt = pair.Prompt, Response = pair.Chosen, PreviousResponse = pair.Rejected },
        });
    }
}
