namespace Aries;

/// <summary>A prompt of a data set.</summary>
/// <param name="Prompt">What is asked.</param>
/// <param name="Answer">The reference answer as the file holds it, or null.</param>
/// <param name="Id">The row's own name, or null; a number keeps its digits.</param>
/// <threadsafety>Immutable.</threadsafety>
public sealed record PromptRecord(Prompt Prompt, string? Answer = null, string? Id = null);
