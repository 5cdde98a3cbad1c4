namespace Aries;

/// <summary>The refinement of ARIES: a direct answer, then rewrites of the last answer under one fixed template.</summary>
/// <remarks>
/// ARIES, <see href="https://arxiv.org/abs/2502.05605"/>: y₁ ~ π(·|x), then y_{t+1} ~ π(·|x,y_t,z). Each step sees the last answer only.
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class AriesRefinement : IRefinementStrategy
{
    /// <summary>Creates the strategy.</summary>
    /// <param name="turnCount">The number of answers; 1 or greater. The default is 4, as in the paper: the direct answer and three refinements.</param>
    /// <param name="template">z; null for <see cref="RefinementTemplate.Default"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="turnCount"/> is less than 1.</exception>
    public AriesRefinement(int turnCount = 4, RefinementTemplate? template = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(turnCount, 1);
        (TurnCount, Template) = (turnCount, template ?? RefinementTemplate.Default);
    }

    /// <summary>Gets the number of answers of a chain.</summary>
    public int TurnCount { get; }

    /// <summary>Gets z.</summary>
    public RefinementTemplate Template { get; }

    /// <inheritdoc />
    public RefinementStep? NextStep(RefinementTrace trace)
    {
        ArgumentNullException.ThrowIfNull(trace);
        int turn = trace.Steps.Count;
        if (turn >= TurnCount)
        {
            return null;
        }

        Prompt prompt = turn == 0 ? trace.Prompt : Template.Apply(trace.Prompt, trace.Steps[^1].Text);
        return new RefinementStep(prompt) { IsLast = turn == TurnCount - 1 };
    }

    /// <summary>Returns the name and every setting that changes a chain.</summary>
    public override string ToString() => $"{nameof(AriesRefinement)} {{ TurnCount = {TurnCount}, Template = \"{Template}\" }}";
}
