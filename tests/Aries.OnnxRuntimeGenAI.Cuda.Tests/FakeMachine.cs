using System.Text;

namespace Aries.OnnxRuntimeGenAI.Cuda.Tests;

/// <summary>A machine that has the GPUs and libraries that a test gives it.</summary>
internal sealed class FakeMachine : Machine
{
    /// <summary>Gets the files that lie beside the app.</summary>
    public HashSet<string> Files { get; } = [LibraryNames.GenAI, LibraryNames.Cuda, LibraryNames.Runtime, LibraryNames.FileName("onnxruntime_providers_cuda")];

    /// <summary>Gets the libraries of NVIDIA.</summary>
    public HashSet<string> Libraries { get; } = [CudaLibraryNames.Driver, CudaLibraryNames.Dnn];

    /// <summary>Gets or sets the major of CUDA that the package is built for.</summary>
    public int PackageMajor { get; set; } = 12;

    public int DriverStatus { get; set; }

    public int DeviceCount { get; set; } = 1;

    public static FakeMachine With(params int[] majors)
    {
        FakeMachine machine = new();
        machine.Libraries.UnionWith(majors.SelectMany(CudaLibraryNames.OfMajor));
        return machine;
    }

    public override string? Find(string fileName, string? folder) => Files.Contains(fileName) ? fileName : null;

    public override byte[] Read(string path) => Encoding.ASCII.GetBytes($"…\0{CudaLibraryNames.Blas(PackageMajor)}\0…");

    public override bool CanLoad(string name) => Libraries.Contains(name);

    public override (int Status, int Count) CountDevices() => (DriverStatus, DeviceCount);
}
