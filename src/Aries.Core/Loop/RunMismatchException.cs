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
        {
            int start = FindShownStart(difference.Expected ?? "", difference.Actual ?? "");
            return $"{difference.Key} was {Show(difference.Expected, start)} and is {Show(difference.Actual, start)}";
        });
        return $"The run in \"{path}\" was started otherwise, so it cannot go on: {string.Join("; ", lines)}. Restore what differs, or choose another folder.";
    }

    // Of long texts that begin alike, the part is shown where they differ.
    private static int FindShownStart(string expected, string actual)
    {
        int shared = expected.AsSpan().CommonPrefixLength(actual);
        return shared < ShownLength / 2 || Math.Max(expected.Length, actual.Length) <= ShownLength ? 0 : shared - (ShownLength / 2);
    }

    private static string Show(string? value, int start) => value is null
        ? "absent"
        : $"\"{(start > 0 ? "…" : "")}{value.AsSpan(start, Math.Min(ShownLength, value.Length - start))}{(value.Length - start > ShownLength ? "…" : "")}\"";
}
