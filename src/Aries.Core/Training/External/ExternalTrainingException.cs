namespace Aries;

/// <summary>A command that trains could not be started, failed, or left no checkpoint that can be used.</summary>
/// <remarks>What the command saved along the way stays in the state folder: the same request goes on from it.</remarks>
public sealed class ExternalTrainingException : AriesException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="problem">What happened.</param>
    /// <param name="fix">What to do.</param>
    /// <param name="exitCode">The command's exit code; null where it did not end by itself.</param>
    /// <param name="lastLines">The last lines that it wrote, oldest first.</param>
    /// <param name="logPath">The file with all of them, or null.</param>
    /// <param name="innerException">The cause, or null.</param>
    public ExternalTrainingException(
        string problem, string fix, int? exitCode = null, IReadOnlyList<string>? lastLines = null, string? logPath = null, Exception? innerException = null)
        : base(CreateMessage(problem, fix, lastLines, logPath), innerException)
    {
        (ExitCode, LastLines, LogPath) = (exitCode, lastLines ?? [], logPath);
    }

    /// <summary>Gets the command's exit code; null where it did not end by itself.</summary>
    public int? ExitCode { get; }

    /// <summary>Gets the last lines that the command wrote, oldest first.</summary>
    public IReadOnlyList<string> LastLines { get; }

    /// <summary>Gets the file with all lines, or null.</summary>
    public string? LogPath { get; }

    private static string CreateMessage(string problem, string fix, IReadOnlyList<string>? lastLines, string? logPath)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(problem);
        ArgumentException.ThrowIfNullOrWhiteSpace(fix);
        string log = logPath is null ? "" : $" Its log is {logPath}.";
        return lastLines is { Count: > 0 } ? $"{problem} {fix}{log} It last wrote:\n{string.Join('\n', lastLines)}" : $"{problem} {fix}{log}";
    }
}
