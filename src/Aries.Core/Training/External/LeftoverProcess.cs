using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Aries;

/// <summary>Remembers in a file which process runs a command, so that whoever comes after this process died finds it and ends it.</summary>
internal static class LeftoverProcess
{
    // A killed process ends at once, unless the kernel waits for a device.
    private static readonly TimeSpan EndGrace = TimeSpan.FromMinutes(1);

    /// <summary>Writes which process runs; nothing for one that has ended already: it has no start any more, and needs no name.</summary>
    public static async Task WriteIdAsync(Process process, string idPath)
    {
        long started;
        try
        {
            started = process.StartTime.ToUniversalTime().Ticks;
        }
        catch (Exception exception) when (exception is InvalidOperationException or Win32Exception && process.HasExited)
        {
            return;
        }

        await File.WriteAllTextAsync(idPath, string.Create(CultureInfo.InvariantCulture, $"{process.Id} {started}"), CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Reads which process runs, and the ticks of its start; null where none was written.</summary>
    public static (int Id, long Started)? ReadId(string idPath)
    {
        string[] parts;
        try
        {
            parts = File.ReadAllText(idPath).Split(' ');
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }

        return parts is [{ } id, { } started]
            && int.TryParse(id, CultureInfo.InvariantCulture, out int processId)
            && long.TryParse(started, CultureInfo.InvariantCulture, out long ticks)
                ? (processId, ticks)
                : null;
    }

    /// <summary>Kills the command that a process which is no more has left running: two of them must not write to one folder.</summary>
    /// <exception cref="ExternalTrainingException">It does not end.</exception>
    public static void Kill(string idPath)
    {
        if (!File.Exists(idPath))
        {
            return;
        }

        if (ReadId(idPath) is var (processId, ticks))
        {
            try
            {
                using Process process = Process.GetProcessById(processId);
                if (IsOf(process, ticks))
                {
                    process.Kill(entireProcessTree: true);
                    WaitForEnd(process);
                }
            }
            catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
            {
                // It has ended.
            }
        }

        File.Delete(idPath);
    }

    // Numbers of processes come again: the start tells one from another. It is computed from the boot time, to about a hundredth of a second.
    private static bool IsOf(Process process, long startTicks)
    {
        try
        {
            return Math.Abs(process.StartTime.ToUniversalTime().Ticks - startTicks) < TimeSpan.TicksPerSecond;
        }
        catch (Win32Exception)
        {
            // A process that cannot be looked at is another user's.
            return false;
        }
    }

    private static void WaitForEnd(Process process)
    {
        long start = Stopwatch.GetTimestamp();
        while (!process.WaitForExit(TimeSpan.FromMilliseconds(100)) && !IsZombie(process.Id))
        {
            if (Stopwatch.GetElapsedTime(start) > EndGrace)
            {
                throw new ExternalTrainingException(
                    string.Create(CultureInfo.InvariantCulture, $"The command of a training that was broken off still runs, as process {process.Id}, and does not end though it was killed."),
                    "End it, or restart the machine, and train again.");
            }
        }
    }

    // A process that ended keeps its number until its parent asks for its exit code, which in a container without an init process nobody does. It writes no more.
    private static bool IsZombie(int processId)
    {
        if (!OperatingSystem.IsLinux())
        {
            return false;
        }

        try
        {
            // The state follows the name, which stands in parentheses and may hold any character.
            string stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/stat"));
            return stat.AsSpan(stat.LastIndexOf(')') + 1).TrimStart().StartsWith('Z');
        }
        catch (IOException)
        {
            // It is gone altogether.
            return false;
        }
    }
}
