using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

namespace Aries.EndToEnd.Tests;

/// <summary>Runs the tests, or, where a test started this program again, the loop that is to be killed or the training that it asked for.</summary>
internal static class Program
{
    public static Task<int> Main(string[] args) => (LoopProcess.Assignment, TrainingCommand.Assignment) switch
    {
        ({ } task, _) => LoopProcess.RunAsChildAsync(task),
        (null, { } behaviour) => TrainingCommand.RunAsync(behaviour, args),
        // As in the entry point that xunit would generate.
        _ when args.Any(argument => argument is "--server" or "--internal-msbuild-node") =>
            TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions),
        _ => ConsoleRunner.Run(args),
    };
}
