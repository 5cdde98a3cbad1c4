namespace Aries;

/// <summary>A run folder was made with another model, other data or other options than those it is to go on with.</summary>
/// <remarks>Nothing in the folder was changed.</remarks>
/// <threadsafety>Immutable.</threadsafety>
public sealed class RunMismatchException : AriesException
{
    private const int ShownLength = 120;

    /// <summary>Creates the exception.</summary>
    /// <param name="path">The run folder.</param>
    /// <param name="differences">What differs; at least one.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public RunMismatchException(string path, IReadOnlyList<RunDifference> differences)
        : base(Describe(path, differences))
    {
        (Path, Differences) = (path, differences);
    }

    /// <summary>Gets the run folder.</summary>
    public string Path { get; }

    /// <summary>Gets what differs.</summary>
    public IReadOnlyList<RunDifference> Differences { get; }

    private static string Describe(string path, IReadOnlyList<RunDifference> differences)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(differences);
        IEnumerable<string> lines = differences.Select(difference =>
            $"{difference.Key} was {Show(difference.Expected)} and is {Show(difference.Actual)}");
        return $"The run in \"{path}\" was started otherwise, so it cannot go on: {string.Join("; ", lines)}. Restore what differs, or choose another folder.";
    }

    private static string Show(string? value) => value switch
    {
        null => "absent",
        { Length: > ShownLength } => $"\"{value.AsSpan(0, ShownLength)}…\"",
        _ => $"\"{value}\"",
    };
}
