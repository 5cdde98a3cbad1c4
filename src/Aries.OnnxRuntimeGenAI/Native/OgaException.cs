namespace Aries.OnnxRuntimeGenAI;

/// <summary>A function of the native library failed. Users see it as the cause of an exception that says what to do.</summary>
internal sealed class OgaException(string message) : Exception(message);
