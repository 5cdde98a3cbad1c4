using System.Text;

namespace Aries.OnnxRuntimeGenAI.Cuda;

/// <summary>What a machine must have to run models on a GPU of NVIDIA: the native libraries of ONNX Runtime GenAI, a driver, a GPU, CUDA's libraries and cuDNN.</summary>
/// <remarks>
/// ONNX Runtime reports a library that it cannot load by that library's name alone, and stops at the first. Here all are looked for, and of each it is said where it comes from.
/// Nothing is loaded that could end the process; CUDA's own libraries are loaded, and stay.
/// </remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public static class CudaRequirements
{
    // What native libraries of some package can be linked against. Packages with a C API that serves exist for 12 and 13.
    private static readonly int[] KnownMajors = [13, 12];

    private static readonly Machine ThisMachine = new();

    /// <summary>Looks for all of it.</summary>
    /// <param name="nativeLibraryFolder">The folder of ONNX Runtime GenAI's native libraries; null for where packages put them.</param>
    /// <param name="deviceId">The GPU, from 0, among those that <c>CUDA_VISIBLE_DEVICES</c> leaves.</param>
    /// <returns>What is missing, a sentence or two each, with what to do about it. Empty where nothing is; then a model can still be larger than the GPU's memory.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="deviceId"/> is negative.</exception>
    public static IReadOnlyList<string> FindMissing(string? nativeLibraryFolder = null, int deviceId = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(deviceId);
        return FindMissing(ThisMachine, nativeLibraryFolder, deviceId);
    }

    internal static IReadOnlyList<string> FindMissing(Machine machine, string? folder, int deviceId)
    {
        List<string> missing = [];
        string? natives = FindNatives(machine, folder, missing);
        FindDevice(machine, deviceId, missing);
        FindLibraries(machine, natives, missing);
        return missing;
    }

    // Returns the library that is linked against CUDA.
    private static string? FindNatives(Machine machine, string? folder, List<string> missing)
    {
        string[] package = [LibraryNames.GenAI, LibraryNames.Cuda, LibraryNames.Runtime];
        string[] absent = [.. package.Where(name => machine.Find(name, folder) is null)];
        string gpu = LibraryNames.FileName("onnxruntime_providers_cuda");
        if (absent.Length > 0)
        {
            missing.Add(
                $"ONNX Runtime GenAI: {string.Join(", ", absent)} {(absent.Length == 1 ? "is" : "are")} not beside the app. "
                + "Reference the package Microsoft.ML.OnnxRuntimeGenAI.Cuda in the app, and publish it for a runtime identifier such as linux-x64.");
        }
        else if (machine.Find(gpu, folder) is null)
        {
            missing.Add(
                $"ONNX Runtime for GPUs: {gpu} is not beside {LibraryNames.Runtime}, which is therefore the one for the processor. "
                + "Take Microsoft.ML.OnnxRuntime and Microsoft.ML.OnnxRuntimeGenAI out of the app and of what it depends on: their files have the names of those of the Cuda package.");
        }

        return machine.Find(LibraryNames.Cuda, folder);
    }

    private static void FindDevice(Machine machine, int deviceId, List<string> missing)
    {
        if (!machine.CanLoad(CudaLibraryNames.Driver))
        {
            missing.Add($"The driver: {CudaLibraryNames.Driver} cannot be loaded. Install NVIDIA's driver, or give the container the GPU (docker run --gpus all).");
            return;
        }

        (int status, int count) = machine.CountDevices();
        if (count <= deviceId)
        {
            missing.Add(status == 0
                ? $"A GPU: the driver has {count}, and number {deviceId} is asked for. Look at CUDA_VISIBLE_DEVICES, and at what nvidia-smi lists."
                : $"A GPU: the driver answers with error {status} of CUDA. nvidia-smi must list the GPU in the same environment; after an update of the driver, restart the machine.");
        }
    }

    private static void FindLibraries(Machine machine, string? natives, List<string> missing)
    {
        int? needed = natives is null ? null : Major(machine.Read(natives));
        string[]? best = null;
        int bestMajor = 0;
        foreach (int major in needed is { } only ? [only] : KnownMajors)
        {
            string[] absent = [.. CudaLibraryNames.OfMajor(major).Where(name => !machine.CanLoad(name))];
            if (best is null || absent.Length <= best.Length)
            {
                (best, bestMajor) = (absent, major);
            }
        }

        if (best is { Length: > 0 })
        {
            missing.Add(
                $"CUDA {bestMajor}: {string.Join(", ", best)} cannot be loaded. Install its libraries, and put their folder on {CudaLibraryNames.SearchPath}"
                + (needed is null ? "." : "; or reference the version of Microsoft.ML.OnnxRuntimeGenAI.Cuda that is built for the CUDA of this machine."));
        }

        if (!machine.CanLoad(CudaLibraryNames.Dnn))
        {
            missing.Add($"cuDNN 9: {CudaLibraryNames.Dnn} cannot be loaded. Install it for CUDA {bestMajor}, and put its folder on {CudaLibraryNames.SearchPath}.");
        }
    }

    // The name of a library that it is linked against stands in the file as it is.
    private static int? Major(ReadOnlySpan<byte> library)
    {
        foreach (int major in KnownMajors)
        {
            if (library.IndexOf(Encoding.ASCII.GetBytes(CudaLibraryNames.Blas(major) + "\0")) >= 0)
            {
                return major;
            }
        }

        return null;
    }
}
