namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>The real library, for the tests that need it.</summary>
internal static class RealLibrary
{
    public const string Variable = "ARIES_GENAI_NATIVE";

    /// <summary>Returns the folder with the real libraries; where there is none, the test is skipped with the reason.</summary>
    public static string Folder
    {
        get
        {
            string? folder = Environment.GetEnvironmentVariable(Variable);
            Assert.SkipWhen(string.IsNullOrEmpty(folder), $"{Variable} names no folder with the native libraries of ONNX Runtime GenAI.");
            return folder;
        }
    }

    public static GenAIPolicyOptions Options => new() { NativeLibraryFolder = Folder };

    public static OgaApi Api => NativeLibraries.Load(Options);
}
