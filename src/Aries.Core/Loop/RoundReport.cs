namespace Aries;

/// <summary>One round of an <see cref="AriesLoop"/>: what was collected with M_{t−1}, how M_t was trained, and how good M_t is. Round 0 is what comes before the first round.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record RoundReport
{
    /// <summary>Gets the round; 0 is the state before the first one.</summary>
    public required int Round { get; init; }

    /// <summary>Gets M_t, the policy that the round ends with.</summary>
    public required PolicyCheckpoint Checkpoint { get; init; }

    /// <summary>Gets the chains of M_{t−1} that pairs were made of; null in round 0.</summary>
    public ChainsReport? Collection { get; init; }

    /// <summary>Gets the pairs; null in round 0.</summary>
    public PairsReport? Pairs { get; init; }

    /// <summary>Gets the supervised warm-up; null without one, and in every round but 0.</summary>
    public TrainingReport? WarmUp { get; init; }

    /// <summary>Gets the preference training: the offline one in round 0, else on the round's pairs; null in round 0 without offline training.</summary>
    public TrainingReport? Training { get; init; }

    /// <summary>Gets how M_t does on the held-out prompts; null without evaluation prompts.</summary>
    public ChainsReport? Evaluation { get; init; }

    /// <summary>Gets how M_t does on the held-out prompts with greedy decoding; null unless <see cref="AriesLoopOptions.EvaluateGreedy"/>.</summary>
    public ChainsReport? GreedyEvaluation { get; init; }

    /// <summary>Gets the tokens that the round's chains wrote, evaluation included.</summary>
    public long GeneratedTokenCount =>
        (Collection?.Usage.ResponseTokens ?? 0) + (Evaluation?.Usage.ResponseTokens ?? 0) + (GreedyEvaluation?.Usage.ResponseTokens ?? 0);

    /// <summary>Gets how long the round's parts took together. Time before an interruption does not count.</summary>
    public TimeSpan Duration =>
        (WarmUp?.Duration ?? default) + (Collection?.Duration ?? default) + (Training?.Duration ?? default)
        + (Evaluation?.Duration ?? default) + (GreedyEvaluation?.Duration ?? default);
}
