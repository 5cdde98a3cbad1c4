using System.Runtime.InteropServices;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>Loads ONNX Runtime and then ONNX Runtime GenAI, once a process.</summary>
/// <remarks>
/// ONNX Runtime GenAI looks for ONNX Runtime while it is being loaded, and where it finds none it ends the process: no exception tells. So ONNX Runtime is found, loaded and asked for its version first.
/// </remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal static class NativeLibraries
{
    // GenAI goes down to the interface of ONNX Runtime 1.18 and ends the process below it.
    private const uint OldestInterface = 18;

    private const string FixPackage =
        "Reference one package with the native libraries in the app and no other flavour of it: Microsoft.ML.OnnxRuntimeGenAI.Cuda for a GPU of NVIDIA, Microsoft.ML.OnnxRuntimeGenAI for the processor; "
        + "or set NativeLibraryFolder.";

    private static readonly Lock Loading = new();
    private static OgaApi? _api;
    private static string? _folder;

    /// <summary>Returns the functions of the library, loading it at the first call.</summary>
    /// <exception cref="GenAILibraryException">A library is missing, cannot be loaded, is too old, or was loaded from another folder.</exception>
    public static OgaApi Load(GenAIPolicyOptions options)
    {
        lock (Loading)
        {
            string? folder = options.NativeLibraryFolder is { } path ? Path.GetFullPath(path) : null;
            if (_api is not null)
            {
                return folder is null || folder == _folder
                    ? _api
                    : throw new GenAILibraryException(
                        LibraryNames.GenAI,
                        $"it was loaded from {_folder ?? "where packages put it"}, and NativeLibraryFolder is {folder} now; a process loads it once.",
                        "Give every model of the process one folder.");
            }

            // Read while the libraries are loaded, and by nothing after.
            if (!options.AllowsNativeTelemetry)
            {
                NativeEnvironment.Set("ORT_DISABLE_TELEMETRY", "1");
            }

            LoadRuntime(folder);
            OgaApi api = LoadGenAI(folder);
            SetTelemetry(api, options.AllowsNativeTelemetry);
            (_api, _folder) = (api, folder);
            return api;
        }
    }

    /// <summary>Returns the functions of the library if it is loaded.</summary>
    public static OgaApi? Loaded()
    {
        lock (Loading)
        {
            return _api;
        }
    }

    private static unsafe void SetTelemetry(OgaApi api, bool isAllowed)
    {
        if (api.SetTelemetryEnabled != null)
        {
            api.SetTelemetryEnabled(isAllowed ? (byte)1 : (byte)0);
        }
    }

    /// <summary>Loads ONNX Runtime, checks it, and tells GenAI where it is.</summary>
    internal static void LoadRuntime(string? folder)
    {
        string name = LibraryNames.Runtime;
        (nint library, string? path) = Open(name, folder, OperatingSystem.IsLinux() ? [name, name + ".1"] : [name]);
        CheckRuntime(library, name);
        if (path is not null)
        {
            NativeEnvironment.Set("ORT_LIB_PATH", path);
        }
    }

    private static unsafe void CheckRuntime(nint library, string name)
    {
        if (!NativeLibrary.TryGetExport(library, "OrtGetApiBase", out nint address))
        {
            throw new GenAILibraryException(name, "it has no function OrtGetApiBase, so it is no ONNX Runtime.", FixPackage);
        }

        // OrtApiBase: GetApi(version), GetVersionString().
        nint* functions = ((delegate* unmanaged[Cdecl]<nint*>)address)();
        if (((delegate* unmanaged[Cdecl]<uint, nint>)functions[0])(OldestInterface) == 0)
        {
            string version = Utf8Text.Read(((delegate* unmanaged[Cdecl]<byte*>)functions[1])());
            throw new GenAILibraryException(name, $"it is ONNX Runtime {version}; ONNX Runtime GenAI needs 1.{OldestInterface} or newer.", FixPackage);
        }
    }

    /// <summary>Loads ONNX Runtime GenAI; ONNX Runtime is loaded.</summary>
    internal static OgaApi LoadGenAI(string? folder)
    {
        string name = LibraryNames.GenAI;
        (nint library, _) = Open(name, folder, [name]);
        try
        {
            return new OgaApi(function => NativeLibrary.TryGetExport(library, function, out nint address) ? address : 0);
        }
        catch (EntryPointNotFoundException exception)
        {
            throw new GenAILibraryException(name, $"it is too old or damaged ({exception.Message})", "Reference version 0.11.4 or newer of the package.", exception);
        }
    }

    private static (nint Library, string? Path) Open(string name, string? folder, string[] fileNames)
    {
        Exception? cause = null;
        foreach (string path in LibraryNames.Folders(folder).SelectMany(directory => fileNames.Select(file => Path.Combine(directory, file))).Where(File.Exists))
        {
            try
            {
                return (NativeLibrary.Load(path), path);
            }
            catch (Exception exception) when (exception is DllNotFoundException or BadImageFormatException)
            {
                // It lies there and does not load: the last one says why, if none does.
                cause = exception;
            }
        }

        foreach (string file in cause is null && folder is null ? fileNames : [])
        {
            if (NativeLibrary.TryLoad(file, out nint library))
            {
                return (library, null);
            }
        }

        throw cause is null
            ? new GenAILibraryException(name, $"there is no such file in {string.Join(", ", LibraryNames.Folders(folder))}.", FixPackage)
            : new GenAILibraryException(
                name, $"it cannot be loaded ({cause.Message.ReplaceLineEndings(" ")})", "Take the package for this operating system and processor, and install the libraries that the message names.", cause);
    }
}
