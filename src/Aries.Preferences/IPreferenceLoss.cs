namespace Aries.Preferences;

/// <summary>A loss over preference pairs that sees summed log-probabilities only, and returns its values together with their derivatives.</summary>
/// <remarks>
/// <para>The engine that owns the weights computes log-probabilities, calls <see cref="Compute"/>, and back-propagates ∂loss/∂log πθ. The loss of a batch is the mean of its pairs' losses.</para>
/// <para>A loss of one's own implements <see cref="Sequences"/>, <see cref="NeedsReference"/> and <see cref="Compute"/>; the other members have defaults.</para>
/// </remarks>
/// <threadsafety>Implementations are immutable; every member may be called concurrently.</threadsafety>
public interface IPreferenceLoss
{
    /// <summary>Gets the sequences that must be scored: the rows of the batch that <see cref="Compute"/> reads.</summary>
    PairSequences Sequences { get; }

    /// <summary>Gets a value indicating whether <see cref="Compute"/> reads the reference's log-probabilities.</summary>
    bool NeedsReference { get; }

    /// <summary>Gets a value indicating whether label probabilities other than 1 are honoured. Where false, <see cref="Compute"/> throws <see cref="NotSupportedException"/> on them.</summary>
    bool HonorsSoftLabels => false;

    /// <summary>Gets how the metrics turn log-probabilities into rewards. The default is β = 1 on sums.</summary>
    ImplicitReward Reward => new(1);

    /// <summary>Computes the loss of each pair and its derivative with respect to each of the pair's summed log-probabilities.</summary>
    /// <param name="batch">The pairs.</param>
    /// <param name="losses">Receives the loss of each pair; not divided by N. Shape [N].</param>
    /// <param name="gradients">Receives ∂losses[i]/∂log πθ of pair i's sequences; not divided by N; 0 in rows that the loss does not use. Shape [<see cref="PairBatch.SequenceCount"/>, N].</param>
    /// <exception cref="ArgumentException">
    /// The spans differ in length or overlap; the batch lacks the reference or the lengths that the loss needs; a log-probability that the loss reads is NaN or infinite; a label probability is
    /// outside [0, 1]; or a length that the loss divides by is less than 1. The message names pair, sequence and value. What the outputs hold then is not defined.
    /// </exception>
    /// <exception cref="NotSupportedException">A label probability is not 1, and <see cref="HonorsSoftLabels"/> is false.</exception>
    void Compute(in PairBatch batch, Span<double> losses, in PairGradients gradients);
}
