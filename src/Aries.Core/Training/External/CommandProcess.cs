using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Aries;

/// <summary>Runs a command to its end, line by line; a cancelled one is killed with all that it started.</summary>
internal static class CommandProcess
{
    // Longer than this nobody waits for the output of what a command that has ended left running.
    private static readonly TimeSpan OutputGrace = TimeSpan.FromSeconds(5);

    /// <summary>Runs a command.</summary>
    /// <param name="start">The program and its arguments.</param>
    /// <param name="idPath">A file that names the process while it runs, for <see cref="KillLeftover"/>.</param>
    /// <param name="onLine">Told each line of both outputs, one at a time.</param>
    /// <param name="cancellationToken">Kills the process tree.</param>
    /// <returns>The exit code.</returns>
    /// <exception cref="ExternalTrainingException">The program cannot be started.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the process has ended.</exception>
    public static async Task<int> RunAsync(ProcessStartInfo start, string idPath, Action<string> onLine, CancellationToken cancellationToken)
    {
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.StandardOutputEncoding = start.StandardErrorEncoding = Encoding.UTF8;
        using Process process = Start(start);
        process.StandardInput.Close();
        await File.WriteAllTextAsync(idPath, string.Create(CultureInfo.InvariantCulture, $"{process.Id} {process.StartTime.ToUniversalTime().Ticks}"), CancellationToken.None).ConfigureAwait(false);
        Lock gate = new();
        Task outputs = Task.WhenAll(ReadAsync(process.StandardOutput, onLine, gate), ReadAsync(process.StandardError, onLine, gate));
        try
        {
            Task exit = process.WaitForExitAsync(cancellationToken);
            if (await Task.WhenAny(exit, outputs).ConfigureAwait(false) == outputs)
            {
                // Whoever is told a line may throw; nobody reads on then, and a command that nobody reads would wait for ever.
                await outputs.ConfigureAwait(false);
            }

            await exit.ConfigureAwait(false);
            await Task.WhenAny(outputs, Task.Delay(OutputGrace, CancellationToken.None)).ConfigureAwait(false);
            return process.ExitCode;
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
                await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
            }

            File.Delete(idPath);
        }
    }

    /// <summary>Kills the command that a process which is no more has left running: two of them must not write to one folder.</summary>
    public static void KillLeftover(string idPath)
    {
        if (!File.Exists(idPath))
        {
            return;
        }

        string[] parts = File.ReadAllText(idPath).Split(' ');
        if (parts is [{ } id, { } started]
            && int.TryParse(id, CultureInfo.InvariantCulture, out int processId)
            && long.TryParse(started, CultureInfo.InvariantCulture, out long ticks))
        {
            try
            {
                using Process process = Process.GetProcessById(processId);

                // Numbers of processes come again: the start tells one from another. It is computed from the boot time, to about a hundredth of a second.
                if (Math.Abs(process.StartTime.ToUniversalTime().Ticks - ticks) < TimeSpan.TicksPerSecond)
                {
                    process.Kill(entireProcessTree: true);
                    process.WaitForExit();
                }
            }
            catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
            {
                // It has ended.
            }
        }

        File.Delete(idPath);
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception exception)
        {
            throw new ExternalTrainingException(
                $"The command {start.FileName} cannot be started: {exception.Message}.", "Give a path to the program, or a name that PATH finds.", innerException: exception);
        }
    }

    private static async Task ReadAsync(StreamReader reader, Action<string> onLine, Lock gate)
    {
        while (await reader.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            lock (gate)
            {
                onLine(line);
            }
        }
    }
}
