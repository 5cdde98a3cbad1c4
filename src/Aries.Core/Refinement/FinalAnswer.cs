namespace Aries;

/// <summary>Which draft of a chain is the answer.</summary>
public enum FinalAnswer
{
    /// <summary>The last one: the self-refinement setting of ARIES.</summary>
    Last,

    /// <summary>The one with the best score, the latest among equals; the last one where none has a score. Needs a scorer.</summary>
    BestScored,

    /// <summary>
    /// The latest draft of the answer that most drafts give, as <see cref="SelfRefinerOptions.AnswerExtractor"/> reads it; among equally many, the answer that was given last.
    /// Drafts without a readable answer have no vote; where no draft has one, the last draft. Wang et al. 2022, <see href="https://arxiv.org/abs/2203.11171"/>.
    /// </summary>
    MajorityVote,

    /// <summary>The first one whose score reaches <see cref="SelfRefinerOptions.ScoreThreshold"/>; where none does, as <see cref="BestScored"/>.</summary>
    FirstAboveThreshold,
}
