namespace Aries;

/// <summary>How a policy draws tokens.</summary>
/// <remarks>
/// The filters apply in this order, each to what the one before left, renormalised: repetition penalty, temperature, top-k, top-p, min-p.
/// A backend that cannot honour a value throws <see cref="NotSupportedException"/> and names it; none is dropped or replaced by a neighbour.
/// </remarks>
/// <threadsafety>Not synchronised: a component copies the options that it is given.</threadsafety>
public sealed record SamplingOptions
{
    /// <summary>Gets or sets the temperature that divides the logits; 0 takes the most probable token (greedy).</summary>
    /// <value>Finite and 0 or greater. The default is 1: the policy's own distribution.</value>
    public float Temperature { get; set; } = 1;

    /// <summary>Gets or sets the probability mass that the most probable tokens must reach together (nucleus sampling).</summary>
    /// <value>Greater than 0, at most 1. The default is 1: off.</value>
    public float TopP { get; set; } = 1;

    /// <summary>Gets or sets how many of the most probable tokens are kept; ties with the last of them stay.</summary>
    /// <value>0 or greater. The default is 0: off.</value>
    public int TopK { get; set; }

    /// <summary>Gets or sets the least probability of a token, as a share of the largest.</summary>
    /// <value>0 to 1. The default is 0: off.</value>
    public float MinP { get; set; }

    /// <summary>Gets or sets the penalty of tokens that the prompt or the response already holds: a positive logit is divided by it, a negative one multiplied.</summary>
    /// <value>Finite and greater than 0. The default is 1: off.</value>
    public float RepetitionPenalty { get; set; } = 1;

    /// <summary>Gets or sets the largest number of tokens of a response, its end token included.</summary>
    /// <value>1 or greater. The default is 512.</value>
    public int MaxTokens { get; set; } = 512;

    /// <summary>Gets or sets the texts that end a response; the response does not contain the one that ended it.</summary>
    /// <value>No empty text. The default is none.</value>
    public IReadOnlyList<string> StopSequences { get; set; } = [];

    /// <summary>Gets or sets the seed of the draws.</summary>
    /// <value>Equal requests with equal seeds give equal responses on one engine. The default is null: the backend chooses one.</value>
    public long? Seed { get; set; }

    /// <summary>Gets whether the most probable token is always taken.</summary>
    public bool IsGreedy => Temperature == 0;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException"><see cref="StopSequences"/> is null or holds an empty text.</exception>
    public void Validate()
    {
        if (!(Temperature >= 0 && float.IsFinite(Temperature)))
        {
            throw new ArgumentOutOfRangeException(nameof(Temperature), Temperature, "Temperature must be finite and 0 (greedy) or greater; 0.7 to 1 is usual.");
        }

        if (!(TopP > 0 && TopP <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(TopP), TopP, "TopP must be greater than 0 and at most 1; 1 switches it off.");
        }

        if (TopK < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(TopK), TopK, "TopK must be 0 (off) or greater.");
        }

        if (!(MinP >= 0 && MinP <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(MinP), MinP, "MinP must be from 0 (off) to 1.");
        }

        if (!(RepetitionPenalty > 0 && float.IsFinite(RepetitionPenalty)))
        {
            throw new ArgumentOutOfRangeException(nameof(RepetitionPenalty), RepetitionPenalty, "RepetitionPenalty must be finite and greater than 0; 1 switches it off.");
        }

        if (MaxTokens < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxTokens), MaxTokens, "MaxTokens must be 1 or greater.");
        }

        if (StopSequences is null || StopSequences.Any(string.IsNullOrEmpty))
        {
            throw new ArgumentException("StopSequences must be a list without empty texts; an empty list switches it off.", nameof(StopSequences));
        }
    }

    /// <summary>Returns a copy that shares nothing that can change: its list of stop sequences is its own.</summary>
    internal SamplingOptions Copy() => this with { StopSequences = [.. StopSequences] };
}
