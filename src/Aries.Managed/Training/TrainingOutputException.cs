namespace Aries.Managed;

/// <summary>The trained checkpoint could not be written, or would not be: that its folder can be written is checked before the first step. Nothing of it is left; the saved state, where there is one, is whole.</summary>
public sealed class TrainingOutputException : AriesException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="path">The folder that was to be written.</param>
    /// <param name="innerException">The cause.</param>
    public TrainingOutputException(string path, Exception innerException)
        : base($"{path}: the trained checkpoint could not be written: {innerException.Message} Free space or choose a folder that can be written to, and run the training again: it goes on from its saved state where it has a StatePath, and starts over where it has none.", innerException)
    {
        Path = path;
    }

    /// <summary>Gets the folder that was to be written.</summary>
    public string Path { get; }
}
