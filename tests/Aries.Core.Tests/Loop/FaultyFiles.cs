namespace Aries.Core.Tests;

/// <summary>Fails at one of its operations: with an I/O error, or with an exception that nothing handles, as if the process ended there.</summary>
/// <remarks>It leaves the flushes out, which tests cannot tell from none and which take most of a run's time.</remarks>
internal sealed class FaultyFiles(int failAt = 0, Func<Exception>? failure = null) : DurableFiles
{
    public int OperationCount { get; private set; }

    public override void Flush(FileStream stream)
    {
    }

    protected override void FlushDirectory(string directory)
    {
    }

    protected override void BeforeOperation(string operation, string path)
    {
        if (++OperationCount == failAt)
        {
            throw failure?.Invoke() ?? new SimulatedCrashException($"{operation} {path}");
        }
    }
}
