namespace Aries.Preferences;

/// <summary>A set of <see cref="PairSequence"/>: bit n stands for the sequence with the value n.</summary>
[Flags]
public enum PairSequences
{
    /// <summary>No sequence.</summary>
    None = 0,

    /// <summary><see cref="PairSequence.Chosen"/>.</summary>
    Chosen = 1 << PairSequence.Chosen,

    /// <summary><see cref="PairSequence.Rejected"/>.</summary>
    Rejected = 1 << PairSequence.Rejected,

    /// <summary><see cref="PairSequence.ChosenGivenRejected"/>.</summary>
    ChosenGivenRejected = 1 << PairSequence.ChosenGivenRejected,

    /// <summary><see cref="PairSequence.RejectedGivenRejected"/>.</summary>
    RejectedGivenRejected = 1 << PairSequence.RejectedGivenRejected,

    /// <summary><see cref="PairSequence.RejectedGivenChosen"/>.</summary>
    RejectedGivenChosen = 1 << PairSequence.RejectedGivenChosen,

    /// <summary><see cref="PairSequence.ChosenGivenChosen"/>.</summary>
    ChosenGivenChosen = 1 << PairSequence.ChosenGivenChosen,

    /// <summary><see cref="PairSequence.Mismatched"/>.</summary>
    Mismatched = 1 << PairSequence.Mismatched,

    /// <summary>The two responses after the prompt alone: what DPO and its relatives score.</summary>
    Direct = Chosen | Rejected,

    /// <summary>The four refinements: what the two-sided ARIES refinement loss scores.</summary>
    Refinement = ChosenGivenRejected | RejectedGivenRejected | RejectedGivenChosen | ChosenGivenChosen,
}
