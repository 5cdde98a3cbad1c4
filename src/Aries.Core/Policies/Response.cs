namespace Aries;

/// <summary>What a policy answered to one request.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record Response
{
    /// <summary>Gets the text, exactly as the model wrote it, without end token or stop sequence.</summary>
    public required string Text { get; init; }

    /// <summary>Gets why the response ends.</summary>
    public required FinishReason FinishReason { get; init; }

    /// <summary>Gets the tokens read and written; zero where the backend does not report them.</summary>
    public TokenUsage Usage { get; init; }

    /// <summary>Gets the token ids of the response, its end token included; null where the backend does not report them.</summary>
    public IReadOnlyList<int>? TokenIds { get; init; }

    /// <summary>Gets log π(token | …) of each of <see cref="TokenIds"/> under the policy's own distribution (before any sampling option), in nats; null unless the request asked for them.</summary>
    public IReadOnlyList<float>? TokenLogProbabilities { get; init; }

    /// <summary>Gets Σ of <see cref="TokenLogProbabilities"/>, in nats; null unless the request asked for them.</summary>
    public double? LogProbability { get; init; }

    /// <summary>Gets the failure when <see cref="FinishReason"/> is <see cref="FinishReason.Error"/>, else null.</summary>
    public Exception? Error { get; init; }

    /// <summary>Makes the response of a request that failed while the rest of its batch went on.</summary>
    /// <param name="error">Why it failed; never an <see cref="OperationCanceledException"/> of the caller's own token.</param>
    /// <param name="partialText">What had been written before.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static Response Failed(Exception error, string partialText = "")
    {
        ArgumentNullException.ThrowIfNull(error);
        ArgumentNullException.ThrowIfNull(partialText);
        return new Response { Text = partialText, FinishReason = FinishReason.Error, Error = error };
    }
}
