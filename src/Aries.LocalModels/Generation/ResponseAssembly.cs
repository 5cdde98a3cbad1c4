namespace Aries;

/// <summary>Makes a response's text from its tokens: whole characters, no stop sequence, told to a listener as soon as it is certain.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class ResponseAssembly(ITokenTextDecoder decoder, IReadOnlyList<string> stopSequences, Action<string>? onText)
{
    private readonly ResponseText _text = new(stopSequences);

    /// <summary>Gets the text so far.</summary>
    public string Text => _text.ToString();

    /// <summary>Takes in a token.</summary>
    /// <returns>Whether a stop sequence came up.</returns>
    public bool Append(int token)
    {
        bool stopped = _text.Append(decoder.Append(token));
        if (onText is not null)
        {
            Tell(_text.TakeReady());
        }

        return stopped;
    }

    /// <summary>Takes in the end of the response.</summary>
    /// <returns>Whether a stop sequence came up, now or before.</returns>
    public bool Complete()
    {
        _text.Append(decoder.Flush());
        Tell(_text.TakeRest());
        return _text.IsStopped;
    }

    private void Tell(string text)
    {
        if (text.Length > 0)
        {
            onText?.Invoke(text);
        }
    }
}
