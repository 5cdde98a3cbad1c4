using System.Diagnostics;
using Aries.Managed;

namespace Aries.Benchmarks.Managed;

/// <summary>Times an action: by the wall with several threads, by the process's own processor time with one.</summary>
/// <remarks>With one thread the processor time leaves out what other processes took, but not waiting for memory. With several, an idle thread must count.</remarks>
internal static class Clock
{
    public static double Seconds(WorkerPool pool, Action action)
    {
        TimeSpan before = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        action();
        double wall = Stopwatch.GetElapsedTime(start).TotalSeconds;

        // Below a millisecond the wall is the better clock, and the best of many rounds was not interrupted.
        return pool.ThreadCount > 1 || wall < 1e-3 ? wall : (Environment.CpuUsage.TotalTime - before).TotalSeconds;
    }
}
