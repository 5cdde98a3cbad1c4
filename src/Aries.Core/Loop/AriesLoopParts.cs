namespace Aries;

/// <summary>What an <see cref="AriesLoop"/> is made of. Training and generation may run on different engines: checkpoints are what they share.</summary>
/// <remarks>
/// A run refuses to go on with other parts. It knows a trainer by <see cref="IPolicyTrainer.Describe"/> and every other part by <see cref="object.ToString"/>,
/// which should name each option that changes results (a record does); a type that does not override it is known by its name alone.
/// </remarks>
/// <threadsafety>Immutable.</threadsafety>
public sealed record AriesLoopParts
{
    /// <summary>Gets what loads a round's policy for generation.</summary>
    public required IPolicyModelLoader Loader { get; init; }

    /// <summary>Gets what trains the rounds. Its loss holds α: with α = 0 the loop is Iterative DPO.</summary>
    public required IPolicyTrainer Trainer { get; init; }

    /// <summary>Gets the trainer of the warm-up, or null for <see cref="Trainer"/>.</summary>
    public IPolicyTrainer? WarmUpTrainer { get; init; }

    /// <summary>Gets the trainer of the offline training, or null for <see cref="Trainer"/>.</summary>
    public IPolicyTrainer? OfflineTrainer { get; init; }

    /// <summary>Gets how the chains of the rounds are made.</summary>
    public required IRefinementStrategy Strategy { get; init; }

    /// <summary>Gets how the chains of the evaluation are made, or null for <see cref="Strategy"/>.</summary>
    public IRefinementStrategy? EvaluationStrategy { get; init; }

    /// <summary>Gets what makes pairs of chains.</summary>
    public required IPreferencePairSelector Selector { get; init; }

    /// <summary>Gets what scores the chains of the rounds; needed when <see cref="IPreferencePairSelector.NeedsScores"/>.</summary>
    public IRewardScorer? Scorer { get; init; }

    /// <summary>Gets what the reports measure by and nothing learns from: a verifier, say. Null reports <see cref="Scorer"/>'s scores.</summary>
    public IRewardScorer? TrueScorer { get; init; }

    /// <summary>Gets who watches.</summary>
    public IReadOnlyList<IAriesLoopObserver> Observers { get; init; } = [];

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Loader);
        ArgumentNullException.ThrowIfNull(Trainer);
        ArgumentNullException.ThrowIfNull(Strategy);
        ArgumentNullException.ThrowIfNull(Selector);
        ArgumentNullException.ThrowIfNull(Observers);
        if (Selector.NeedsScores && Scorer is null)
        {
            throw new ArgumentException($"The selector {Selector} reads scores, but there is no Scorer. Give one, or a selector that needs none.", nameof(Scorer));
        }
    }
}
