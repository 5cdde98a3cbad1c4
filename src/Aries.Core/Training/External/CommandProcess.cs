using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Aries;

/// <summary>Runs a command to its end, line by line; a cancelled one is killed with all that it started.</summary>
internal static class CommandProcess
{
    // Longer than this nobody waits for the output of what a command that has ended left running.
    private static readonly TimeSpan OutputGrace = TimeSpan.FromSeconds(5);

    /// <summary>Runs a command.</summary>
    /// <param name="start">The program and its arguments.</param>
    /// <param name="idPath">A file that names the process while it runs, for <see cref="LeftoverProcess.Kill"/>.</param>
    /// <param name="onLine">Told each line of both outputs, one at a time, and none once this has ended. What it throws ends the command.</param>
    /// <param name="cancellationToken">Kills the process tree.</param>
    /// <returns>The exit code.</returns>
    /// <exception cref="ExternalTrainingException">The program cannot be started.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the process has ended.</exception>
    public static async Task<int> RunAsync(ProcessStartInfo start, string idPath, Action<string> onLine, CancellationToken cancellationToken)
    {
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.StandardOutputEncoding = start.StandardErrorEncoding = Encoding.UTF8;
        using Process process = Start(start);
        Lock gate = new();
        bool isOver = false;
        try
        {
            process.StandardInput.Close();
            await LeftoverProcess.WriteIdAsync(process, idPath).ConfigureAwait(false);
            Task exit = process.WaitForExitAsync(cancellationToken);

            // On threads of their own: where a next line is always there already, reading never waits, and nothing behind it would run.
            List<Task> running = [exit, .. new[] { process.StandardOutput, process.StandardError }.Select(output => Task.Run(() => ReadAsync(output, Tell), CancellationToken.None))];
            while (running.Contains(exit))
            {
                // Whoever is told a line may throw; nobody reads that output on then, and a command that nobody reads would wait for ever.
                Task ended = await Task.WhenAny(running).ConfigureAwait(false);
                running.Remove(ended);
                await ended.ConfigureAwait(false);
            }

            Task outputs = Task.WhenAll(running);
            if (await Task.WhenAny(outputs, Task.Delay(OutputGrace, CancellationToken.None)).ConfigureAwait(false) == outputs)
            {
                await outputs.ConfigureAwait(false);
            }

            return process.ExitCode;
        }
        finally
        {
            // Without the gate: a reader that always has a next line may keep it from everybody else as long as the command writes.
            Volatile.Write(ref isOver, true);
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
                await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
            }

            File.Delete(idPath);
            lock (gate)
            {
                // Whoever is told a line in this moment is waited for.
            }
        }

        void Tell(string line)
        {
            lock (gate)
            {
                if (!Volatile.Read(ref isOver))
                {
                    onLine(line);
                }
            }
        }
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

    private static async Task ReadAsync(StreamReader reader, Action<string> tell)
    {
        while (await reader.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            tell(line);
        }
    }
}
