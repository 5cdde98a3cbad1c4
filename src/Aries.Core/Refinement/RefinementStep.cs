namespace Aries;

/// <summary>What the policy is asked in one step of a chain.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record RefinementStep
{
    private readonly int _sampleCount = 1;

    /// <summary>Creates a step.</summary>
    /// <param name="prompt">What is asked.</param>
    /// <exception cref="ArgumentNullException"><paramref name="prompt"/> is null.</exception>
    public RefinementStep(Prompt prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        Prompt = prompt;
    }

    /// <summary>Gets what is asked.</summary>
    public Prompt Prompt { get; }

    /// <summary>Gets whether the output is an answer or a remark on one.</summary>
    /// <value>The default is <see cref="RefinementStepKind.Draft"/>.</value>
    public RefinementStepKind Kind { get; init; } = RefinementStepKind.Draft;

    /// <summary>Gets how many independent samples of this prompt are drawn; each becomes a step of the trace.</summary>
    /// <value>1 or greater. The default is 1.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public int SampleCount
    {
        get => _sampleCount;
        init => _sampleCount = value >= 1 ? value : throw new ArgumentOutOfRangeException(nameof(SampleCount), value, "SampleCount must be 1 or greater.");
    }

    /// <summary>Gets whether the strategy asks nothing after this step, whatever the policy writes; a stream then shows the final answer as it comes.</summary>
    /// <value>The default is false: the strategy is asked again.</value>
    public bool IsLast { get; init; }
}
