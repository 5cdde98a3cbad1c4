using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

namespace Aries.EndToEnd.Tests;

/// <summary>Runs the tests, or, where a test started this program again, the loop that is to be killed.</summary>
internal static class Program
{
    public static Task<int> Main(string[] args) => LoopProcess.Assignment switch
    {
        { } task => LoopProcess.RunAsChildAsync(task),
        // As in the entry point that xunit would generate.
        null when args.Any(argument => argument is "--server" or "--internal-msbuild-node") =>
            TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions),
        null => ConsoleRunner.Run(args),
    };
}
