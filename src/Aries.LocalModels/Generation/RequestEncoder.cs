namespace Aries;

/// <summary>Encodes requests, and refuses those that a context cannot hold.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal sealed class RequestEncoder<TEncoder>(TEncoder encoder, int contextLength)
    where TEncoder : IPromptEncoder
{
    public TEncoder Encoder => encoder;

    public int ContextLength => contextLength;

    /// <summary>Encodes a prompt that leaves room for a response.</summary>
    /// <exception cref="ArgumentException">It has no text, or is too long.</exception>
    public int[] EncodePrompt(Prompt prompt, int index)
    {
        if (prompt.IsBlank)
        {
            throw new ArgumentException($"The prompt of request {index} has no text. Ask something.", nameof(prompt));
        }

        int[] tokens = encoder.EncodePrompt(prompt);
        return tokens.Length < contextLength
            ? tokens
            : throw new ArgumentException(
                $"The prompt of request {index} has {tokens.Length} tokens, but the model's context of {contextLength} must hold it and at least one token of the response. Shorten the prompt.",
                nameof(prompt));
    }

    /// <summary>Encodes a prompt and a response to score.</summary>
    /// <returns>All tokens, and the index of the first of the response.</returns>
    /// <exception cref="ArgumentException">The response has no token, or both together are too long.</exception>
    public (int[] Tokens, int ResponseStart) EncodeResponse(LogProbabilityRequest request, int index)
    {
        EncodedExample example = encoder.Encode(request.Prompt, request.Response, request.IncludeEndToken);
        int[] tokens = [.. example.Prompt, .. example.Response];
        if (example.Response.Length == 0)
        {
            throw new ArgumentException($"The response of request {index} has no token to score. Give it some text, or include the end token.", nameof(request));
        }

        return tokens.Length <= contextLength
            ? (tokens, example.Prompt.Length)
            : throw new ArgumentException(
                $"Prompt and response of request {index} have {tokens.Length} tokens, more than the model's context of {contextLength}. Shorten them.", nameof(request));
    }
}

/// <summary>What every engine does with requests before and after they are encoded.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal static class RequestEncoder
{
    /// <summary>Returns a copy of requests, none of which is null.</summary>
    /// <exception cref="ArgumentException">One is.</exception>
    public static T[] Copy<T>(IReadOnlyList<T> requests, string name)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(requests, name);
        T[] copy = [.. requests];
        int missing = Array.IndexOf(copy, null);
        return missing < 0 ? copy : throw new ArgumentException($"Request {missing} of {copy.Length} is null.", name);
    }

    /// <summary>Returns the answers to scored requests.</summary>
    /// <param name="sequences">Tokens, and the index of the first response token, as <see cref="RequestEncoder{TEncoder}.EncodeResponse"/> gives them.</param>
    /// <param name="values">For each sequence the log-probability of each response token, in nats.</param>
    public static ResponseLogProbability[] LogProbabilities((int[] Tokens, int ResponseStart)[] sequences, float[][] values) =>
    [
        .. sequences.Zip(values, (sequence, terms) =>
            new ResponseLogProbability(terms.Sum(value => (double)value), sequence.Tokens[sequence.ResponseStart..], terms)),
    ];
}
