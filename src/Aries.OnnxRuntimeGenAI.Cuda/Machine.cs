using System.Runtime.InteropServices;

namespace Aries.OnnxRuntimeGenAI.Cuda;

/// <summary>What is looked at of a machine; a test puts another one in its place.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal class Machine
{
    /// <summary>Finds a library of ONNX Runtime GenAI's package, without loading it.</summary>
    /// <returns>The path, or null.</returns>
    public virtual string? Find(string fileName, string? folder)
    {
        IEnumerable<string> folders = LibraryNames.Folders(folder);
        if (folder is null)
        {
            folders = folders.Concat((Environment.GetEnvironmentVariable(CudaLibraryNames.SearchPath) ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries));
        }

        return folders.Select(directory => Path.Combine(directory, fileName)).FirstOrDefault(File.Exists);
    }

    /// <summary>Reads a file.</summary>
    public virtual byte[] Read(string path) => File.ReadAllBytes(path);

    /// <summary>Loads a library of NVIDIA from where the operating system looks.</summary>
    public virtual bool CanLoad(string name) => NativeLibrary.TryLoad(name, out _);

    /// <summary>Asks the driver, which can be loaded, how many GPUs there are.</summary>
    /// <returns>The driver's status, 0 for success, and the number of GPUs.</returns>
    public virtual unsafe (int Status, int Count) CountDevices()
    {
        nint driver = NativeLibrary.Load(CudaLibraryNames.Driver);
        int status = ((delegate* unmanaged<uint, int>)NativeLibrary.GetExport(driver, "cuInit"))(0);
        int count = 0;
        if (status == 0)
        {
            status = ((delegate* unmanaged<int*, int>)NativeLibrary.GetExport(driver, "cuDeviceGetCount"))(&count);
        }

        return (status, status == 0 ? count : 0);
    }
}
