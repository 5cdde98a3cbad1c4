namespace Aries;

/// <summary>The (prompt, chosen, rejected) rows that a pair (x, y_w, y_l) gives to a trainer that knows nothing of refinement.</summary>
/// <remarks>
/// ARIES trains both modes on the same pairs; written as rows, each term of its loss is a row of its own, because a refinement is an answer to the prompt that
/// the template z makes. The rows may have any pairwise loss: with DPO they are DPO in each mode.
/// </remarks>
[Flags]
public enum PreferenceRows
{
    /// <summary>No row.</summary>
    None = 0,

    /// <summary>(x, y_w, y_l): the direct mode.</summary>
    Direct = 1,

    /// <summary>((x, y_l, z), y_w, y_l): the refinement mode; rewrite the worse answer, do not copy it.</summary>
    RefineRejected = 2,

    /// <summary>((x, y_w, z), y_w, y_l): the refinement mode; do not spoil the better answer.</summary>
    RefineChosen = 4,

    /// <summary>All three: the rows of ARIES in its two-sided form.</summary>
    All = Direct | RefineRejected | RefineChosen,
}
