namespace Aries.Managed;

/// <summary>The state folder of a training holds the state of another one, or is damaged. Nothing was changed.</summary>
public sealed class TrainingStateException : AriesException
{
    /// <summary>Creates the exception for a state of another training.</summary>
    /// <param name="path">The state's folder.</param>
    /// <param name="differences">What differs, one a line of text; at least one.</param>
    public TrainingStateException(string path, IReadOnlyList<string> differences)
        : base($"{path}: the unfinished training there is another one: {string.Join("; ", differences)}. Finish it with what it was begun with, or delete the folder to start over.")
    {
        (Path, Differences) = (path, differences);
    }

    /// <summary>Creates the exception for a damaged or unwritable state.</summary>
    /// <param name="path">The state's folder or file.</param>
    /// <param name="problem">What is wrong, as a sentence.</param>
    /// <param name="innerException">The cause, or null.</param>
    public TrainingStateException(string path, string problem, Exception? innerException)
        : base($"{path}: {problem} Delete the folder to start over, or name another one.", innerException)
    {
        (Path, Differences) = (path, []);
    }

    /// <summary>Gets the state's folder or file.</summary>
    public string Path { get; }

    /// <summary>Gets what differs from the training that was asked for; empty where the state is damaged.</summary>
    public IReadOnlyList<string> Differences { get; }
}
