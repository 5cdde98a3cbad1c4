namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>Nothing is loaded here that could not be: the process lives to say what is missing.</summary>
public sealed class NativeLibrariesTests(GenAIFolders folders)
{
    [Fact]
    public void LoadRuntime_FolderWithoutIt_NamesTheFileThePackagesAndTheFolder()
    {
        string folder = folders.NewPath();
        Directory.CreateDirectory(folder);

        GenAILibraryException exception = Assert.Throws<GenAILibraryException>(() => NativeLibraries.LoadRuntime(folder));

        Assert.Equal(LibraryNames.Runtime, exception.FileName);
        Assert.Contains(folder, exception.Problem, StringComparison.Ordinal);
        Assert.Contains("Microsoft.ML.OnnxRuntimeGenAI.Cuda", exception.Fix, StringComparison.Ordinal);
    }

    [Fact]
    public void LoadRuntime_FileThatIsNoLibrary_SaysThatItCannotBeLoaded()
    {
        string folder = folders.NewPath();
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, LibraryNames.Runtime), "This is a text.");

        GenAILibraryException exception = Assert.Throws<GenAILibraryException>(() => NativeLibraries.LoadRuntime(folder));

        Assert.Contains("cannot be loaded", exception.Problem, StringComparison.Ordinal);
        Assert.NotNull(exception.InnerException);
    }

    // .NET's own library of numbers and dates is a library, and surely there.
    [Fact]
    public void LoadRuntime_LibraryOfAnotherKind_SaysThatItIsNoOnnxRuntime()
    {
        string folder = folders.NewPath();
        Directory.CreateDirectory(folder);
        string other = Directory.GetFiles(Path.GetDirectoryName(typeof(object).Assembly.Location)!, OperatingSystem.IsWindows() ? "clrgc.dll" : "libSystem.Native.*")[0];
        File.WriteAllBytes(Path.Combine(folder, LibraryNames.Runtime), File.ReadAllBytes(other));

        Assert.Contains("OrtGetApiBase", Assert.Throws<GenAILibraryException>(() => NativeLibraries.LoadRuntime(folder)).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void LoadGenAI_FolderWithoutIt_NamesTheFile()
    {
        string folder = folders.NewPath();
        Directory.CreateDirectory(folder);

        Assert.Equal(LibraryNames.GenAI, Assert.Throws<GenAILibraryException>(() => NativeLibraries.LoadGenAI(folder)).FileName);
    }

    [Fact]
    public void Constructor_LibraryWithoutARequiredFunction_NamesIt() =>
        Assert.Contains(
            "OgaGenerator_RewindTo",
            Assert.Throws<EntryPointNotFoundException>(() => new OgaApi(name => name == "OgaGenerator_RewindTo" ? 0 : FakeFunctions.Find(name))).Message,
            StringComparison.Ordinal);

    // The native environment is read by a native library's own means: a process that this one starts.
    [Fact]
    public void Set_Variable_IsSeenByNativeCode()
    {
        NativeEnvironment.Set("ARIES_GENAI_TEST_VARIABLE", "seen");

        Assert.Equal("seen", System.Runtime.InteropServices.Marshal.PtrToStringUTF8(GetNative("ARIES_GENAI_TEST_VARIABLE")));
    }

    private static nint GetNative(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has one environment.");
        return GetEnvironment(name);
    }

    [System.Runtime.InteropServices.DllImport("libc", EntryPoint = "getenv", CharSet = System.Runtime.InteropServices.CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    [System.Runtime.InteropServices.DefaultDllImportSearchPaths(System.Runtime.InteropServices.DllImportSearchPath.SafeDirectories)]
    private static extern nint GetEnvironment(string name);
}
