namespace Aries;

/// <summary>A run's folder: locked while it is open, checked against what the loop is, and cleaned of what a stopped process left half-written.</summary>
internal sealed class RunFolder : IDisposable
{
    private const string IdentityName = "run.json";
    private const string LockName = "run.lock";

    private readonly FileStream _lock;
    private readonly PolicyCheckpoint _basePolicy;

    private RunFolder(string path, DurableFiles files, FileStream @lock, PolicyCheckpoint basePolicy) =>
        (Path, Files, _lock, _basePolicy) = (path, files, @lock, basePolicy);

    public string Path { get; }

    public DurableFiles Files { get; }

    public string MetricsPath => In("metrics.jsonl");

    public string ReportPath => In("report.html");

    /// <summary>Opens a folder that is new, empty, or of a run of the same identity.</summary>
    public static RunFolder Open(string path, RunIdentity identity, PolicyCheckpoint basePolicy, DurableFiles files)
    {
        path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        RefuseForeign(path, files);
        files.CreateDirectory(path);
        FileStream @lock = files.Lock(System.IO.Path.Combine(path, LockName));
        try
        {
            RunFolder folder = new(path, files, @lock, basePolicy);
            folder.CheckIdentity(identity);
            folder.DeletePartial(path);
            return folder;
        }
        catch
        {
            @lock.Dispose();
            throw;
        }
    }

    /// <summary>Returns the folder of a round, which is made if it is not there.</summary>
    public RoundFolder OpenRound(int round)
    {
        string path = In($"round-{round:00}");
        Files.CreateDirectory(path);
        DeletePartial(path);
        return new RoundFolder(this, path, round);
    }

    /// <summary>Returns the text that a committed file keeps of a checkpoint's path: it holds when the run folder or the base model moves.</summary>
    public string? ToStored(string? path)
    {
        if (path is null || path == _basePolicy.ModelPath)
        {
            return path is null ? null : StoredCheckpoint.BaseModel;
        }

        if (path == _basePolicy.AdapterPath)
        {
            return StoredCheckpoint.BaseAdapter;
        }

        string full = System.IO.Path.GetFullPath(path);
        string inside = Path + System.IO.Path.DirectorySeparatorChar;
        return full.StartsWith(inside, StringComparison.Ordinal) ? full[inside.Length..].Replace('\\', '/') : full;
    }

    public string? FromStored(string? stored) => stored switch
    {
        null => null,
        StoredCheckpoint.BaseModel => _basePolicy.ModelPath,
        StoredCheckpoint.BaseAdapter => _basePolicy.AdapterPath,
        _ => System.IO.Path.Combine(Path, stored),
    };

    public void Dispose() => _lock.Dispose();

    private static void RefuseForeign(string path, DurableFiles files)
    {
        if (File.Exists(path))
        {
            throw new RunFolderException(path, $"\"{path}\" is a file, but a run needs a folder. Choose another path.");
        }

        files.Guard("list", path, () =>
        {
            if (Directory.Exists(path)
                && !File.Exists(System.IO.Path.Combine(path, IdentityName))
                && Directory.EnumerateFileSystemEntries(path).FirstOrDefault(IsForeign) is { } foreign)
            {
                throw new RunFolderException(
                    path, $"\"{path}\" is not a run folder, and not empty: it holds \"{System.IO.Path.GetFileName(foreign)}\" but no {IdentityName}. Choose a new or an empty folder.");
            }
        });

        static bool IsForeign(string entry) => System.IO.Path.GetFileName(entry) is not (LockName or IdentityName + DurableFiles.PartialEnding);
    }

    private void CheckIdentity(RunIdentity identity)
    {
        string path = In(IdentityName);
        if (!File.Exists(path))
        {
            Files.Replace(path, identity.ToJson());
            return;
        }

        IReadOnlyList<RunDifference> differences = RunIdentity.Parse(Files.Read(path), path).Compare(identity);
        if (differences.Count > 0)
        {
            throw new RunMismatchException(Path, differences);
        }
    }

    private void DeletePartial(string directory)
    {
        foreach (string file in Directory.GetFiles(directory, "*" + DurableFiles.PartialEnding))
        {
            Files.DeleteFile(file);
        }
    }

    private string In(string name) => System.IO.Path.Combine(Path, name);
}
