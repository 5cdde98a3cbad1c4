using Microsoft.ML.OnnxRuntime;

namespace Aries.OnnxRuntime;

/// <summary>A loaded graph, whose failures are exceptions of Aries that say what to do, and whose runs end within a token when they are cancelled.</summary>
/// <threadsafety>Runs may go on concurrently. Dispose it when none runs.</threadsafety>
internal sealed class GraphSession : IDisposable
{
    private const string FixNatives =
        "The file onnxruntime.dll (libonnxruntime.so on Linux, libonnxruntime.dylib on macOS) is missing, of another version, or lacks a library of its own. Reference one package that brings it in the app: Microsoft.ML.OnnxRuntime for the processor, or Microsoft.ML.OnnxRuntime.Gpu; never both.";

    private const string FixKernels =
        "Bfloat16 is for GPUs: run the folder with ONNX Runtime GenAI on one, or write it again as Float32 or Float16 (GenAIModelOptions.FloatType). A graph without bfloat16 needs a newer ONNX Runtime.";

    private const string FixRun = "The call can be tried again; if it fails the same way, the graph does not fit this version of ONNX Runtime or the machine's memory.";

    private readonly string _folder;

    private GraphSession(string folder, InferenceSession session)
    {
        (_folder, Session) = (folder, session);
    }

    public InferenceSession Session { get; }

    /// <summary>Loads a graph.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="fileName">The graph's file in it.</param>
    /// <param name="threadCount">The number of threads; null for one a core.</param>
    /// <exception cref="ModelFormatException">There is no such file, or ONNX Runtime cannot read it.</exception>
    /// <exception cref="InferenceFailedException">ONNX Runtime's native libraries are missing.</exception>
    public static GraphSession Load(string folder, string fileName, int? threadCount)
    {
        string path = Path.Combine(folder, fileName);
        if (!File.Exists(path))
        {
            throw new ModelFormatException(path, "there is no such file.", "The folder is incomplete: write or download it again.");
        }

        try
        {
            using SessionOptions options = new();
            if (threadCount is { } count)
            {
                options.IntraOpNumThreads = count;
            }

            // Its warnings, of which inputs for adapters make one each, go to the standard error stream; failures are exceptions.
            options.LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR;

            // Threads that spin between steps take the processor from the tokenizer, the sampler and everybody else.
            options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
            return new GraphSession(folder, new InferenceSession(path, options));
        }
        catch (OnnxRuntimeException exception) when (exception.Message.Contains("NotImplemented", StringComparison.Ordinal))
        {
            throw new ModelFormatException(
                path, $"the graph computes what ONNX Runtime has no kernel for on this processor ({exception.Message})", FixKernels, exception);
        }
        catch (OnnxRuntimeException exception)
        {
            throw new ModelFormatException(
                path, $"ONNX Runtime cannot load the graph ({exception.Message})", "The graph or its weights are damaged or incomplete, or need a newer ONNX Runtime: write or download the folder again.", exception);
        }
        catch (Exception exception) when (exception is DllNotFoundException or TypeInitializationException or EntryPointNotFoundException or BadImageFormatException)
        {
            throw new InferenceFailedException("loading ONNX Runtime", folder, FixNatives, exception);
        }
    }

    /// <summary>Runs the graph on what is bound.</summary>
    /// <exception cref="InferenceFailedException">ONNX Runtime failed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; what the graph wrote is not whole.</exception>
    public void Run(OrtIoBinding binding, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using RunOptions options = new();
        using CancellationTokenRegistration registration = cancellationToken.Register(static state => ((RunOptions)state!).Terminate = true, options);
        try
        {
            Session.RunWithBinding(options, binding);
        }
        catch (OnnxRuntimeException exception)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new InferenceFailedException("running the graph", _folder, FixRun, exception);
        }
    }

    public void Dispose() => Session.Dispose();
}
