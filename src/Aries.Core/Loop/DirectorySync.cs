using System.Runtime.InteropServices;
using System.Text;

namespace Aries;

/// <summary>Makes renames durable: on Unix a renamed file survives a power cut only once its folder is flushed, and .NET opens no folders.</summary>
internal static class DirectorySync
{
    public static void Flush(string directory)
    {
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS())
        {
            return;
        }

        // Best effort: some file systems refuse to flush a folder, and a rename is atomic either way.
        int descriptor = Open(Encoding.UTF8.GetBytes(directory + '\0'), 0);
        if (descriptor >= 0)
        {
            _ = Synchronize(descriptor);
            _ = Close(descriptor);
        }
    }

    // Blittable, so that it needs neither unsafe code nor a marshalling stub; "libc" is part of both systems.
    [DllImport("libc", EntryPoint = "open")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Open(byte[] path, int flags);

    [DllImport("libc", EntryPoint = "fsync")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Synchronize(int descriptor);

    [DllImport("libc", EntryPoint = "close")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Close(int descriptor);
}
