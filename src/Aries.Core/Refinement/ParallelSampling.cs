namespace Aries;

/// <summary>Independent direct answers, for the baselines: one is the direct answer, several are what best-of-N and the majority vote choose from.</summary>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class ParallelSampling : IRefinementStrategy
{
    /// <summary>Creates the strategy.</summary>
    /// <param name="sampleCount">The number of answers; 1 or greater.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="sampleCount"/> is less than 1.</exception>
    public ParallelSampling(int sampleCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sampleCount, 1);
        SampleCount = sampleCount;
    }

    /// <summary>Gets the number of answers.</summary>
    public int SampleCount { get; }

    /// <inheritdoc />
    public RefinementStep? NextStep(RefinementTrace trace)
    {
        ArgumentNullException.ThrowIfNull(trace);
        return trace.Steps.Count > 0 ? null : new RefinementStep(trace.Prompt) { SampleCount = SampleCount, IsLast = true };
    }

    /// <summary>Returns the name and every setting that changes a chain.</summary>
    public override string ToString() => $"{nameof(ParallelSampling)} {{ SampleCount = {SampleCount} }}";
}
