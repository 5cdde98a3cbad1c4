namespace Aries.Preferences;

/// <summary>The sequences of a preference pair that a loss may score.</summary>
/// <remarks>
/// <para>
/// A pair holds a prompt x, a chosen response y_w and a rejected response y_l. A response is scored after the prompt alone (direct mode), or after the refinement
/// template z filled with the prompt and a previous answer (refinement mode).
/// </para>
/// <para>The numeric value is the row of the sequence in <see cref="PairBatch"/> and <see cref="PairGradients"/>, and the bit of its flag in <see cref="PairSequences"/>; it never changes.</para>
/// </remarks>
public enum PairSequence
{
    /// <summary>y_w after x.</summary>
    Chosen = 0,

    /// <summary>y_l after x.</summary>
    Rejected = 1,

    /// <summary>y_w after (x, y_l, z): the bad answer is rewritten into the good one.</summary>
    ChosenGivenRejected = 2,

    /// <summary>y_l after (x, y_l, z): the bad answer is copied.</summary>
    RejectedGivenRejected = 3,

    /// <summary>y_l after (x, y_w, z): the good answer is made worse.</summary>
    RejectedGivenChosen = 4,

    /// <summary>y_w after (x, y_w, z): the good answer is copied.</summary>
    ChosenGivenChosen = 5,

    /// <summary>The chosen response of another pair of the batch after this pair's x: KTO estimates its reference point from it. It never has a gradient.</summary>
    Mismatched = 6,
}
