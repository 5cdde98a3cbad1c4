using System.Diagnostics;
using System.Runtime.InteropServices;
using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

/// <summary>Publishes a sample with NativeAOT, warnings as errors, and runs it: the packages need no reflection and no JIT.</summary>
public class NativeAotTests
{
    [Fact]
    public async Task Publish_SampleOfAllPackages_RunsAsTheJitDoes()
    {
        string? linker = new[] { "clang", "gcc", "link.exe" }.FirstOrDefault(IsOnPath);
        Assert.SkipWhen(linker is null, "NativeAOT needs a linker (clang or gcc, or Visual Studio's link.exe), and none is on the PATH.");
        string output = Directory.CreateTempSubdirectory("aries-aot-").FullName;

        try
        {
            string project = Path.Combine(TestData.RepositoryRoot, "samples", "NativeAot", "NativeAot.csproj");
            (int publishCode, string publishLog) = await RunAsync(
                "dotnet", "publish", project, "-c", "Release", "-r", RuntimeInformation.RuntimeIdentifier, "-o", output, "--artifacts-path", Path.Combine(output, "artifacts"));
            Assert.True(publishCode == 0, publishLog);

            string program = Path.Combine(output, OperatingSystem.IsWindows() ? "NativeAot.exe" : "NativeAot");
            (int code, string text) = await RunAsync(program, TestData.Golden("stories260K-hf"), "Once upon a time");

            Assert.True(code == 0, text);
            // Policy and reference agree before the first step: the loss is ln 2.
            Assert.Contains("loss: 0.693147", text, StringComparison.Ordinal);
            Assert.Contains("draft: , there was a little girl named Lily", text, StringComparison.Ordinal);
            Assert.Contains("tuned: ", text, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(output, recursive: true);
        }
    }

    private static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, program)));

    private static async Task<(int Code, string Output)> RunAsync(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output + await error);
    }
}
