namespace Aries;

/// <summary>A chain could not go on: the policy or the scorer failed.</summary>
public sealed class RefinementException : AriesException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="trace">The chain up to the failure.</param>
    /// <param name="innerException">The failure.</param>
    public RefinementException(RefinementTrace trace, Exception innerException)
        : base(CreateMessage(trace, innerException), innerException)
    {
        Trace = trace;
    }

    /// <summary>Gets the chain up to the failure.</summary>
    public RefinementTrace Trace { get; }

    private static string CreateMessage(RefinementTrace trace, Exception innerException)
    {
        ArgumentNullException.ThrowIfNull(trace);
        ArgumentNullException.ThrowIfNull(innerException);
        return $"The chain \"{trace.Id}\" failed after {trace.Drafts.Count()} drafts: {innerException.Message} What was written is in {nameof(Trace)}; FailureBehavior.ReturnTrace returns it instead of throwing.";
    }
}
