namespace Aries;

/// <summary>Tokens that a call read and wrote.</summary>
/// <param name="PromptTokens">Tokens of the prompt, those found in a cache included.</param>
/// <param name="ResponseTokens">Tokens of the response, its end token included.</param>
/// <param name="CachedPromptTokens">Tokens of the prompt that were not computed again.</param>
/// <threadsafety>Immutable.</threadsafety>
public readonly record struct TokenUsage(long PromptTokens, long ResponseTokens, long CachedPromptTokens = 0)
{
    /// <summary>Gets the tokens of prompt and response together.</summary>
    public long TotalTokens => PromptTokens + ResponseTokens;

    /// <summary>Adds two usages.</summary>
    /// <param name="left">One usage.</param>
    /// <param name="right">The other.</param>
    public static TokenUsage operator +(TokenUsage left, TokenUsage right) => Add(left, right);

    /// <summary>Adds two usages.</summary>
    /// <param name="left">One usage.</param>
    /// <param name="right">The other.</param>
    public static TokenUsage Add(TokenUsage left, TokenUsage right) => new(
        left.PromptTokens + right.PromptTokens,
        left.ResponseTokens + right.ResponseTokens,
        left.CachedPromptTokens + right.CachedPromptTokens);
}
