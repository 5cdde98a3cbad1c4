namespace Aries.Managed;

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
            using (FileStream stream = new(aside, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16))
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

    private static string PathAside(string path) => $"{path}.tmp-{Environment.ProcessId}-{Interlocked.Increment(ref _counter)}";
}
