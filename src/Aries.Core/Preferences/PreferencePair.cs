namespace Aries;

/// <summary>(x, y_w, y_l): a prompt with a better and a worse response.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record PreferencePair
{
    private readonly double _chosenProbability = 1;

    /// <summary>Gets x: what the user asked.</summary>
    public required Prompt Prompt { get; init; }

    /// <summary>Gets y_w: the better response.</summary>
    public required string Chosen { get; init; }

    /// <summary>Gets y_l: the worse response.</summary>
    public required string Rejected { get; init; }

    /// <summary>Gets the score of <see cref="Chosen"/>, or null.</summary>
    public double? ChosenScore { get; init; }

    /// <summary>Gets the score of <see cref="Rejected"/>, or null.</summary>
    public double? RejectedScore { get; init; }

    /// <summary>Gets p̂(y_w ≻ y_l | x): the probability that the label is right.</summary>
    /// <value>Greater than 0, at most 1. The default is 1: a hard label.</value>
    public double ChosenProbability
    {
        get => _chosenProbability;
        init => _chosenProbability = value is > 0 and <= 1
            ? value
            : throw new ArgumentOutOfRangeException(nameof(ChosenProbability), value, "ChosenProbability must be greater than 0 and at most 1.");
    }

    /// <summary>Gets the <see cref="RefinementTrace.Id"/> of the chain that the pair was made of, or null.</summary>
    public string? TraceId { get; init; }
}
