namespace Aries;

/// <summary>Writes files and folders aside and renames them when they are whole, so that no reader sees half of one.</summary>
internal static class AtomicOutput
{
    private static int _counter;

    /// <summary>Writes a file: <paramref name="write"/> fills it aside, it is flushed to disk, then renamed over <paramref name="path"/>.</summary>
    public static void WriteFile(string path, Action<FileStream> write)
    {
        string aside = PathAside(path);
        try
        {
            using (FileStream stream = new(aside, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(aside, path, overwrite: true);
        }
        catch
        {
            File.Delete(aside);
            throw;
        }
    }

    /// <summary>Writes a folder: <paramref name="write"/> fills one aside, which then takes the place of <paramref name="path"/>.</summary>
    /// <remarks>An earlier folder of that name is renamed before and deleted after; between the two renames there is none, never half of one.</remarks>
    public static void WriteFolder(string path, Action<string> write)
    {
        path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (File.Exists(path))
        {
            throw new IOException($"{path} is a file, so no folder can be written there. Choose another path.");
        }

        string aside = PathAside(path);
        if (Directory.Exists(aside))
        {
            Directory.Delete(aside, recursive: true);
        }

        Directory.CreateDirectory(aside);
        try
        {
            write(aside);
            if (!Directory.Exists(path))
            {
                Directory.Move(aside, path);
                return;
            }

            string earlier = PathAside(path);
            Directory.Move(path, earlier);
            try
            {
                Directory.Move(aside, path);
            }
            catch
            {
                Directory.Move(earlier, path);
                throw;
            }

            Directory.Delete(earlier, recursive: true);
        }
        catch
        {
            if (Directory.Exists(aside))
            {
                Directory.Delete(aside, recursive: true);
            }

            throw;
        }
    }

    /// <summary>Checks that a folder could be written: makes one aside, and deletes it. Folders above that are missing are not made.</summary>
    /// <exception cref="IOException">A folder above is a file, or the disk refuses.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder above cannot be written to.</exception>
    public static void CheckFolder(string path)
    {
        path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        for (string? parent = Path.GetDirectoryName(path); parent is not null && !Path.Exists(parent); parent = Path.GetDirectoryName(parent))
        {
            path = parent;
        }

        string aside = PathAside(path);
        Directory.CreateDirectory(aside);
        Directory.Delete(aside, recursive: true);
    }

    // A process that was killed may have had the same id (in a container the id is the same at every start): what it left under the name is overwritten.
    private static string PathAside(string path) => $"{path}.tmp-{Environment.ProcessId}-{Interlocked.Increment(ref _counter)}";
}
