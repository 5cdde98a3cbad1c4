namespace Aries;

/// <summary>A run folder cannot be read or written: it is read-only, its disk is full, another process works in it, or one of its files is damaged.</summary>
/// <remarks>What was committed before is whole; after the cause is mended, the run goes on from there.</remarks>
/// <threadsafety>Immutable.</threadsafety>
public sealed class RunFolderException : AriesException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="message">What happened and what to do.</param>
    /// <param name="innerException">The cause, or null.</param>
    public RunFolderException(string path, string message, Exception? innerException = null)
        : base(message, innerException)
    {
        Path = path;
    }

    /// <summary>Gets the file or folder that the failure is about.</summary>
    public string Path { get; }
}
