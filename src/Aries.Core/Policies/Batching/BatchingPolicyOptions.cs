namespace Aries;

/// <summary>Options of <see cref="BatchingPolicyModel"/>.</summary>
/// <threadsafety>Not synchronised: the model copies it.</threadsafety>
public sealed record BatchingPolicyOptions
{
    /// <summary>Gets or sets the most requests of one pass. A call with more goes alone, whole.</summary>
    /// <value>1 or greater. The default is 32.</value>
    public int MaxBatchSize { get; set; } = 32;

    /// <summary>Gets or sets how long a pass waits for more requests when it could begin with fewer. One that is full does not wait.</summary>
    /// <value>From 0 to a day. The default is 0: requests gather while the pass before runs, and one that finds the policy idle starts at once.</value>
    public TimeSpan MaxDelay { get; set; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and the range.</exception>
    public void Validate()
    {
        if (MaxBatchSize < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxBatchSize), MaxBatchSize, "MaxBatchSize must be 1 or greater.");
        }

        if (MaxDelay < TimeSpan.Zero || MaxDelay > TimeSpan.FromDays(1))
        {
            throw new ArgumentOutOfRangeException(nameof(MaxDelay), MaxDelay, "MaxDelay must be from 0 to a day; 0, or a few milliseconds, is usual.");
        }
    }
}
