namespace Aries.Managed;

/// <summary>The tokens of a response.</summary>
/// <param name="TokenIds">The ids, the end token included.</param>
/// <param name="LogProbabilities">log π(token) of each, in nats; null unless asked for.</param>
/// <param name="FinishReason">Why the response ends.</param>
/// <param name="CachedPromptTokens">Tokens of the prompt that another sequence had computed.</param>
internal sealed record DecodedSequence(
    IReadOnlyList<int> TokenIds, IReadOnlyList<float>? LogProbabilities, FinishReason FinishReason, int CachedPromptTokens);
