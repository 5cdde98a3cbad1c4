namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>What the native library reports as a failed result.</summary>
internal sealed class FakeNativeException(string message) : Exception(message);
