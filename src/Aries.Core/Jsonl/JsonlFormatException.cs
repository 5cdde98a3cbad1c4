namespace Aries;

/// <summary>A line of a JSONL file is not what the reader needs.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed class JsonlFormatException : AriesException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="source">The file's path, or a name of the stream.</param>
    /// <param name="lineNumber">The number of the line; from 1.</param>
    /// <param name="reason">What is wrong with it, as a sentence.</param>
    /// <param name="innerException">The cause, or null.</param>
    public JsonlFormatException(string source, long lineNumber, string reason, Exception? innerException = null)
        : base($"{source}, line {lineNumber}: {reason} Mend or remove the line.", innerException)
    {
        (File, LineNumber, Reason) = (source, lineNumber, reason);
    }

    /// <summary>Gets the file's path, or the name of the stream.</summary>
    public string File { get; }

    /// <summary>Gets the number of the line; from 1.</summary>
    public long LineNumber { get; }

    /// <summary>Gets what is wrong with the line.</summary>
    public string Reason { get; }
}
