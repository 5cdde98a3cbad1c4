using System.Diagnostics;
using System.Text;
using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

/// <summary>Runs a built sample as its users do: as a process.</summary>
internal static class SampleProcess
{
    public static async Task<SampleResult> RunAsync(string sample, params string[] arguments)
    {
        // The tests' project builds the samples, each in its own folder, for the same configuration and framework.
        string[] folders = AppContext.BaseDirectory.Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries);
        string program = Path.Combine(TestData.RepositoryRoot, "samples", sample, "bin", folders[^2], folders[^1], $"{sample}.dll");
        ProcessStartInfo start = new("dotnet", [program, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        try
        {
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            return new SampleResult(process.ExitCode, await output, await error);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }
}
