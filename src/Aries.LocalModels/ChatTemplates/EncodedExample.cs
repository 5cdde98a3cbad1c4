namespace Aries;

/// <summary>A prompt and a response as ids.</summary>
/// <param name="Prompt">The ids of the prompt.</param>
/// <param name="Response">The ids of the response, with the token that ends it.</param>
/// <param name="HasMovedBoundary">Whether the tokens of the two together do not begin with the prompt's, so that the response was encoded alone.</param>
internal readonly record struct EncodedExample(int[] Prompt, int[] Response, bool HasMovedBoundary);
