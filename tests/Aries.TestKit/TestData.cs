namespace Aries.TestKit;

/// <summary>Finds the files that tests read.</summary>
public static class TestData
{
    /// <summary>Gets the folder that holds the solution.</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>Gets a path under <c>tests/golden</c>.</summary>
    public static string Golden(params string[] parts) => Path.Combine([RepositoryRoot, "tests", "golden", .. parts]);

    /// <summary>Gets a path under the data folder that may lie beside the checkout, or null where there is none.</summary>
    /// <remarks>A test that needs such a file skips with a reason when this is null: the suite passes without the folder.</remarks>
    public static string? Shared(params string[] parts)
    {
        string path = Path.Combine([RepositoryRoot, "..", "shared", .. parts]);
        return Path.Exists(path) ? Path.GetFullPath(path) : null;
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Aries.Core.sln")))
            {
                return directory.FullName;
            }
        }

        throw new DirectoryNotFoundException($"No folder above {AppContext.BaseDirectory} holds Aries.Core.sln.");
    }
}
