namespace Aries.OnnxRuntimeGenAI.Cuda;

/// <summary>What the libraries of NVIDIA are called here.</summary>
/// <remarks>The numbers are those of the libraries' own interfaces: cuFFT's is one below CUDA's, cuRAND's has been 10 since CUDA 10.</remarks>
internal static class CudaLibraryNames
{
    public static string Driver { get; } = OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";

    public static string Dnn { get; } = Name("cudnn", 9);

    /// <summary>Gets the variable that lists where libraries are looked for.</summary>
    public static string SearchPath { get; } = OperatingSystem.IsWindows() ? "PATH" : "LD_LIBRARY_PATH";

    public static string Blas(int major) => Name("cublasLt", major);

    public static string[] OfMajor(int major) => [Name("cudart", major), Name("cublas", major), Blas(major), Name("cufft", major - 1), Name("curand", 10)];

    private static string Name(string library, int version) => OperatingSystem.IsWindows() ? $"{library}64_{version}.dll" : $"lib{library}.so.{version}";
}
