namespace Aries;

/// <summary>An engine's native library could not be loaded, or failed while it computed.</summary>
/// <remarks>The process and the model stay usable: a later call may succeed.</remarks>
public sealed class InferenceFailedException : AriesException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="operation">What was being done, such as <c>loading ONNX Runtime</c>.</param>
    /// <param name="model">The model's folder.</param>
    /// <param name="fix">What to do about it, as a sentence.</param>
    /// <param name="innerException">What the library reported.</param>
    public InferenceFailedException(string operation, string model, string fix, Exception? innerException)
        : base($"{model}: {operation} failed ({innerException?.GetBaseException().Message}). {fix}", innerException)
    {
        (Operation, Model) = (operation, model);
    }

    /// <summary>Gets what was being done.</summary>
    public string Operation { get; }

    /// <summary>Gets the model's folder.</summary>
    public string Model { get; }
}
