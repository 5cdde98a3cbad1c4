namespace Aries.Managed;

/// <summary>What a decoding engine has done.</summary>
/// <param name="PromptTokens">Prompt tokens computed: those not found in a cache.</param>
/// <param name="Passes">Passes that gave tokens of responses, after each response's first.</param>
/// <param name="Rows">Rows of those passes.</param>
/// <param name="DraftedTokens">Rows among them that read a drafted token.</param>
/// <param name="AcceptedTokens">Drafted tokens that were drawn.</param>
internal readonly record struct DecodingCounts(long PromptTokens, long Passes, long Rows, long DraftedTokens, long AcceptedTokens);
