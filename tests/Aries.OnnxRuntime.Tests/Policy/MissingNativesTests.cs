using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;

namespace Aries.OnnxRuntime.Tests;

/// <summary>An app that references the package and forgets the natives.</summary>
public sealed class MissingNativesTests(ExportedModels models)
{
    [Fact]
    public void Load_NativesMissing_NamesTheFileAndThePackage()
    {
        AppWithoutNatives app = new();
        Type model = app.LoadFromAssemblyName(new AssemblyName("Aries.OnnxRuntime")).GetType(typeof(OnnxRuntimePolicyModel).FullName!, throwOnError: true)!;

        // Twice: a type whose initializer has failed reports it otherwise the second time.
        for (int attempt = 0; attempt < 2; attempt++)
        {
            Exception exception = Assert.Throws<TargetInvocationException>(() => model.GetMethod("Load")!.Invoke(null, [models.Stories, null])).InnerException!;

            Assert.Equal(typeof(InferenceFailedException).FullName, exception.GetType().FullName);
            Assert.IsType<AriesException>(exception, exactMatch: false);
            Assert.Contains("loading ONNX Runtime", exception.Message, StringComparison.Ordinal);
            Assert.Contains("libonnxruntime.so", exception.Message, StringComparison.Ordinal);
            Assert.Contains("Microsoft.ML.OnnxRuntime for the processor", exception.Message, StringComparison.Ordinal);
            Assert.IsType<DllNotFoundException>(exception.GetBaseException());
        }

        // What was half made is finalized without the native library, too, or the process is gone.
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    // Its own copies of the two assemblies, and none of the folders that the natives lie in.
    private sealed class AppWithoutNatives() : AssemblyLoadContext("without natives")
    {
        protected override Assembly? Load(AssemblyName assemblyName) =>
            assemblyName.Name is "Aries.OnnxRuntime" or "Microsoft.ML.OnnxRuntime" ? LoadFromAssemblyPath(Path.Combine(AppContext.BaseDirectory, assemblyName.Name + ".dll")) : null;

        protected override nint LoadUnmanagedDll(string unmanagedDllName) =>
            unmanagedDllName.Contains("onnxruntime", StringComparison.Ordinal) ? NativeLibrary.Load(Path.Combine(Path.GetTempPath(), "nothing", unmanagedDllName)) : 0;
    }
}
