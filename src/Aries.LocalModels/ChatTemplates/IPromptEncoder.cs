namespace Aries;

/// <summary>Turns prompts and responses into a model's ids.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal interface IPromptEncoder
{
    /// <summary>Encodes a prompt up to where the response begins, with one beginning token where the model uses one.</summary>
    /// <exception cref="ArgumentException">The tokenizer cannot spell a character of it.</exception>
    int[] EncodePrompt(Prompt prompt);

    /// <summary>Encodes a prompt and its response.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="response">The response's text.</param>
    /// <param name="isEnded">Whether the response ended by itself: then one end token is appended.</param>
    /// <exception cref="ArgumentException">The tokenizer cannot spell a character of it.</exception>
    /// <remarks>
    /// The tokens of prompt and response together are cut after as many as the prompt alone has. Where they do not begin with the prompt's own (a merge reaches over the boundary),
    /// the response is encoded alone instead: generation starts from the prompt's own tokens, so training must too.
    /// </remarks>
    EncodedExample Encode(Prompt prompt, string response, bool isEnded = true);

    /// <summary>Encodes a text that a response may repeat, as the response would begin with it.</summary>
    /// <returns>The tokens, without an end token; none where the tokenizer cannot spell the text: then the model cannot repeat it either.</returns>
    int[] EncodePrediction(string text);
}
