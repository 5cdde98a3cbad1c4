namespace Aries;

/// <summary>A part of the loop's work.</summary>
public enum LoopStage
{
    /// <summary>Supervised training on labelled triples (ARIES, Eq. 4), before the first round.</summary>
    WarmUp,

    /// <summary>Preference training on labelled pairs, before the first round.</summary>
    OfflineTraining,

    /// <summary>Chains for the round's prompts, scored and made into pairs.</summary>
    Collection,

    /// <summary>Preference training on the round's pairs.</summary>
    Training,

    /// <summary>Chains for the held-out prompts.</summary>
    Evaluation,

    /// <summary>Greedy chains for the held-out prompts.</summary>
    GreedyEvaluation,
}
