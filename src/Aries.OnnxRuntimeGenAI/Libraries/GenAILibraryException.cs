namespace Aries.OnnxRuntimeGenAI;

/// <summary>A native library of ONNX Runtime GenAI is missing, cannot be loaded, or is of a version that does not fit.</summary>
/// <remarks>Nothing was loaded that could end the process: ONNX Runtime is found and checked before the library that cannot live without it.</remarks>
public sealed class GenAILibraryException : AriesException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="fileName">The library's file name, such as <c>libonnxruntime-genai.so</c>.</param>
    /// <param name="problem">What is wrong with it, as a sentence.</param>
    /// <param name="fix">What to do about it, as a sentence; names the package.</param>
    /// <param name="innerException">What was reported, or null.</param>
    public GenAILibraryException(string fileName, string problem, string fix, Exception? innerException = null)
        : base($"{fileName}: {problem} {fix}", innerException)
    {
        (FileName, Problem, Fix) = (fileName, problem, fix);
    }

    /// <summary>Gets the library's file name.</summary>
    public string FileName { get; }

    /// <summary>Gets what is wrong with it.</summary>
    public string Problem { get; }

    /// <summary>Gets what to do about it.</summary>
    public string Fix { get; }
}
