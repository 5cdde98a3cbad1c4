namespace Aries;

/// <summary>A response to score.</summary>
/// <param name="Prompt">What the user asked: always the original prompt, never a refinement prompt.</param>
/// <param name="Response">What was answered.</param>
/// <threadsafety>Immutable.</threadsafety>
public sealed record ScoringRequest(Prompt Prompt, string Response);
