using System.Runtime.InteropServices;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>What the native libraries are called here, and where they may lie.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal static class LibraryNames
{
    /// <summary>Gets the file name of ONNX Runtime.</summary>
    public static string Runtime { get; } = FileName("onnxruntime");

    /// <summary>Gets the file name of ONNX Runtime GenAI.</summary>
    public static string GenAI { get; } = FileName("onnxruntime-genai");

    /// <summary>Gets the file name of the part that computes with CUDA.</summary>
    public static string Cuda { get; } = FileName("onnxruntime-genai-cuda");

    /// <summary>Lists the folders in which packages put native libraries, the nearest first.</summary>
    /// <param name="folder">The only folder to look in, or null for the usual ones.</param>
    public static IEnumerable<string> Folders(string? folder)
    {
        if (folder is not null)
        {
            return [Path.GetFullPath(folder)];
        }

        string[] probed = (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return probed.Append(AppContext.BaseDirectory)
            .Append(Path.Combine(AppContext.BaseDirectory, "runtimes", RuntimeInformation.RuntimeIdentifier, "native"))
            .Select(Path.TrimEndingDirectorySeparator)
            .Distinct(StringComparer.Ordinal);
    }

    /// <summary>Returns the file name of a library.</summary>
    public static string FileName(string name) =>
        OperatingSystem.IsWindows() ? $"{name}.dll" : OperatingSystem.IsMacOS() ? $"lib{name}.dylib" : $"lib{name}.so";
}
