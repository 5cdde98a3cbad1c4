namespace Aries.TestKit;

/// <summary>A folder of its own for one test, deleted with it.</summary>
public sealed class TempFolder : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("aries-test-");

    /// <summary>Gets the path of the folder.</summary>
    public string Path => _directory.FullName;

    /// <summary>Gets a path below the folder.</summary>
    public string At(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>Copies the files of a folder into a new one below this.</summary>
    public string CopyOf(string source, string name = "model")
    {
        string target = At(name);
        Directory.CreateDirectory(target);
        foreach (string file in Directory.GetFiles(source))
        {
            string copy = System.IO.Path.Combine(target, System.IO.Path.GetFileName(file));
            File.WriteAllBytes(copy, File.ReadAllBytes(file));
        }

        return target;
    }

    /// <inheritdoc />
    public void Dispose() => _directory.Delete(recursive: true);
}
