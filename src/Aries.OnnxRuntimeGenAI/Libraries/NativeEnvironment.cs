using System.Runtime.InteropServices;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>Sets environment variables where native libraries read them.</summary>
/// <remarks>On Unix, .NET keeps the variables that it sets to itself: <c>getenv</c> does not see them.</remarks>
/// <threadsafety>Not while another thread reads the native environment: called before the libraries are loaded alone.</threadsafety>
internal static partial class NativeEnvironment
{
    public static void Set(string name, string value)
    {
        Environment.SetEnvironmentVariable(name, value);
        if (!OperatingSystem.IsWindows())
        {
            _ = SetNative(name, value, 1);
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetNative(string name, string value, int overwrite);
}
