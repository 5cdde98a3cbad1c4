namespace Aries.OnnxRuntimeGenAI;

/// <summary>Makes exceptions that say what to do of what the native library reports.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal static class NativeFailure
{
    private const string FixCuda =
        "Reference Microsoft.ML.OnnxRuntimeGenAI.Cuda and no package for the processor beside it; 0.11 to 0.14 are built for CUDA 12, 0.15 and newer for CUDA 13, both with cuDNN 9. "
        + "Their libraries must lie where the loader looks (PATH on Windows, LD_LIBRARY_PATH on Linux), and the driver must be new enough: nvidia-smi shows what it allows.";

    private const string FixMemory = "Lower MaxBatchSize, ContextLength or MaxTokens, use a smaller or quantised model, or end what else holds memory of the device.";

    /// <summary>Explains why a model was not loaded.</summary>
    public static AriesException OfLoading(OgaException exception, string folder)
    {
        string message = exception.Message;
        return IsCudaMissing(message) ? new GenAILibraryException(LibraryNames.Cuda, $"the GPU cannot be used ({Sentence(message)})", FixCuda, exception)
            : IsOutOfMemory(message) ? new InferenceFailedException("loading the model", folder, FixMemory, exception)
            : Has(message, "Unsupported model_type") || Has(message, "Unknown model type")
                ? new ModelFormatException(
                    folder, $"this version of ONNX Runtime GenAI does not know the model ({Sentence(message)})", "Use a newer package, or a model of a type that it lists.", exception)
            : new ModelFormatException(
                folder, $"ONNX Runtime GenAI cannot load it ({Sentence(message)})", "The folder is damaged or incomplete, or made for another version: write or download it again.", exception);
    }

    /// <summary>Explains why a call failed.</summary>
    public static InferenceFailedException OfRunning(OgaException exception, string operation, string folder) =>
        new(
            operation,
            folder,
            IsOutOfMemory(exception.Message)
                ? FixMemory
                : "The call can be tried again; if it fails the same way, the graph does not fit this version of ONNX Runtime GenAI, its execution provider or the device.",
            exception);

    private static bool IsCudaMissing(string message) =>
        Has(message, "Cuda interface not available") || Has(message, "CUDA add-on") || Has(message, "onnxruntime_providers_cuda") || Has(message, "CUDA driver version")
        || Has(message, "no CUDA-capable device") || Has(message, "CUDA execution provider is not enabled");

    private static bool IsOutOfMemory(string message) =>
        Has(message, "out of memory") || Has(message, "Failed to allocate memory") || Has(message, "bad allocation") || Has(message, "bad_alloc") || Has(message, "BFCArena");

    private static bool Has(string message, string part) => message.Contains(part, StringComparison.OrdinalIgnoreCase);

    private static string Sentence(string message) => message.ReplaceLineEndings(" ").Trim();
}
