namespace Aries.Managed;

/// <summary>A prompt of token ids, and how its response is drawn.</summary>
internal sealed record DecodingRequest
{
    /// <summary>Gets the prompt; at least one token, fewer than the context holds.</summary>
    public required int[] Prompt { get; init; }

    public required SamplingOptions Options { get; init; }

    /// <summary>Gets the seed of the draws; the one of the options is not looked at.</summary>
    public required long Seed { get; init; }

    /// <summary>Gets how many tokens a pass may guess ahead; 0 for none. Changes the speed, never the response.</summary>
    public int MaxDraftLength { get; init; }

    /// <summary>Gets tokens that the response may repeat, beside those of the prompt.</summary>
    public int[] Prediction { get; init; } = [];

    public bool IncludeLogProbabilities { get; init; }

    /// <summary>Gets what receives each token that is no end token, on the decoding thread; it returns true to end the response.</summary>
    public Func<int, bool>? OnToken { get; init; }
}
