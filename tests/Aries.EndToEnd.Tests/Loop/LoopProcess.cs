using System.Diagnostics;
using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

/// <summary>A loop in a process of its own, so that it can be killed: this test program, started again with a variable that says what to run.</summary>
/// <remarks>The child writes one byte to its standard output at each event of the loop, which tells its killer how far it is.</remarks>
internal static class LoopProcess
{
    private const string Variable = "ARIES_LOOP_PROCESS";

    /// <summary>Gets what this process is to run; null where it is to run the tests.</summary>
    public static string? Assignment => Environment.GetEnvironmentVariable(Variable);

    /// <summary>Runs a loop and kills its process at the n-th event.</summary>
    /// <param name="kind">Which loop.</param>
    /// <param name="root">The folder of the run and its base model.</param>
    /// <param name="killAt">The event; null lets the process end.</param>
    /// <param name="spin">How long to wait after the event, so that the process dies in the middle of what comes next.</param>
    /// <returns>Whether the process ended by itself.</returns>
    public static bool Run(string kind, string root, int? killAt = null, TimeSpan spin = default)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet")
        {
            start.ArgumentList.Add(typeof(LoopProcess).Assembly.Location);
        }

        start.Environment[Variable] = $"{kind}|{root}";
        using Process process = Process.Start(start)!;
        bool isLate = false;
        using Timer watchdog = new(_ =>
        {
            isLate = true;
            process.Kill();
        }, null, TimeSpan.FromMinutes(2), Timeout.InfiniteTimeSpan);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        Stream events = process.StandardOutput.BaseStream;
        for (int count = 0; events.ReadByte() >= 0;)
        {
            if (++count == killAt)
            {
                long end = Stopwatch.GetTimestamp() + (long)(spin.TotalSeconds * Stopwatch.Frequency);
                SpinWait.SpinUntil(() => Stopwatch.GetTimestamp() >= end);
                process.Kill();
                break;
            }
        }

        process.WaitForExit();
        Assert.False(isLate, "The loop's process hung.");
        // 137 = 128 + SIGKILL; the process may also have ended just before.
        Assert.True(process.ExitCode is 0 or 137 or -1, $"The loop's process ended with {process.ExitCode}: {errors.GetAwaiter().GetResult()}");
        return process.ExitCode == 0;
    }

    public static async Task<int> RunAsChildAsync(string task)
    {
        try
        {
            string[] parts = task.Split('|');
            await using Stream output = Console.OpenStandardOutput();
            await RunAsync(parts[0], parts[1], new EventWriter(output));
            return 0;
        }
        catch (Exception exception)
        {
            await Console.Error.WriteLineAsync(exception.ToString());
            return 1;
        }
    }

    private static Task<AriesRunResult> RunAsync(string kind, string root, IAriesLoopObserver observer) => kind switch
    {
        ToyLoop.Kind => ToyLoop.RunAsync(root, observer),
        LlamaLoop.FullKind => LlamaLoop.RunAsync(root, lora: false, observer),
        LlamaLoop.LoraKind => LlamaLoop.RunAsync(root, lora: true, observer),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "No such loop."),
    };

    private sealed class EventWriter(Stream output) : IAriesLoopObserver
    {
        public void OnStageStarted(int round, LoopStage stage, int itemCount, int doneCount) => Write();

        public void OnChain(int round, LoopStage stage, RefinementTrace trace) => Write();

        public void OnTrainingStep(int round, LoopStage stage, TrainingProgress progress) => Write();

        public void OnStageCompleted(int round, LoopStage stage) => Write();

        public void OnRoundCompleted(RoundReport report) => Write();

        private void Write()
        {
            output.WriteByte((byte)'.');
            output.Flush();
        }
    }
}
