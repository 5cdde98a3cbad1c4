namespace Aries;

/// <summary>The writes of a run folder. Each either happens wholly or leaves what was there; each failure is a <see cref="RunFolderException"/>.</summary>
internal class DurableFiles
{
    /// <summary>The ending of a file that is being written; whatever has it after a stop is rubbish.</summary>
    public const string PartialEnding = ".partial";

    public void CreateDirectory(string path) => Guard("create the folder", path, () =>
    {
        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path);
            FlushDirectory(Path.GetDirectoryName(path)!);
        }
    });

    /// <summary>Replaces a file: written aside, flushed to disk, renamed.</summary>
    public void Replace(string path, ReadOnlyMemory<byte> content) => Guard("write", path, () =>
    {
        string aside = path + PartialEnding;
        try
        {
            using (FileStream stream = new(aside, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0))
            {
                stream.Write(content.Span);
                Flush(stream);
            }

            BeforeOperation("rename", path);
            File.Move(aside, path, overwrite: true);
        }
        catch (IOException)
        {
            File.Delete(aside);
            throw;
        }

        FlushDirectory(Path.GetDirectoryName(path)!);
    });

    public void DeleteDirectory(string path) => Guard("delete", path, () =>
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    });

    public void DeleteFile(string path) => Guard("delete", path, () => File.Delete(path));

    public byte[] Read(string path) => Guard("read", path, () => File.ReadAllBytes(path));

    /// <summary>Opens a file of lines to append to; a torn last line is dropped.</summary>
    public AppendOnlyFile OpenAppend(string path) => Guard("open", path, () => new AppendOnlyFile(path, this));

    /// <summary>Takes the lock of a folder, which the operating system gives back when the process ends, however it ends.</summary>
    public FileStream Lock(string path, FileOptions options = FileOptions.None)
    {
        try
        {
            BeforeOperation("lock", path);
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0, options);
        }
        catch (IOException exception) when (File.Exists(path))
        {
            throw new RunFolderException(
                path, $"Another process works in the run folder: \"{path}\" is locked. Wait for it to end, or choose another folder.", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failure("lock", path, exception);
        }
    }

    /// <summary>Runs a write, and names what failed.</summary>
    public void Guard(string operation, string path, Action action) => Guard(operation, path, () =>
    {
        action();
        return true;
    });

    /// <summary>Brings what was written to disk.</summary>
    public virtual void Flush(FileStream stream) => stream.Flush(flushToDisk: true);

    /// <summary>Brings renames and new entries of a folder to disk.</summary>
    protected virtual void FlushDirectory(string directory) => DirectorySync.Flush(directory);

    /// <summary>Called before each operation, and between a file's flush and its rename; tests make it fail to stop a run there.</summary>
    protected virtual void BeforeOperation(string operation, string path)
    {
    }

    private T Guard<T>(string operation, string path, Func<T> action)
    {
        try
        {
            BeforeOperation(operation, path);
            return action();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failure(operation, path, exception);
        }
    }

    private static RunFolderException Failure(string operation, string path, Exception exception) => new(
        path,
        $"Could not {operation} \"{path}\": {exception.Message} Check that the folder can be written to and that its disk has room, then run again: the run goes on from its last commit.",
        exception);
}
