namespace Aries.Preferences;

/// <summary>Where a loss writes ∂loss/∂log πθ: a row a <see cref="PairSequence"/>, in the enum's order.</summary>
/// <remarks>
/// Every value is overwritten by <see cref="IPreferenceLoss.Compute"/>; rows that the loss does not use become 0. Values are derivatives of the pair's own loss: the caller divides by
/// <see cref="PairBatch.PairCount"/> to get the gradient of the batch loss.
/// </remarks>
/// <threadsafety>A view of memory that the caller owns; not to be written by two threads at once.</threadsafety>
public readonly ref struct PairGradients
{
    /// <summary>Initializes a new instance of the <see cref="PairGradients"/> struct over memory that the caller owns.</summary>
    /// <param name="values">Receives the derivatives. Shape [<see cref="PairBatch.SequenceCount"/>, N], row-major.</param>
    /// <exception cref="ArgumentException">The length of <paramref name="values"/> is no multiple of <see cref="PairBatch.SequenceCount"/>.</exception>
    public PairGradients(Span<double> values)
    {
        if (values.Length % PairBatch.SequenceCount != 0)
        {
            throw new ArgumentException($"Gradients come in {PairBatch.SequenceCount} rows of equal length; {values.Length} values do not divide into them.", nameof(values));
        }

        Values = values;
    }

    /// <summary>Gets all rows. Shape [<see cref="PairBatch.SequenceCount"/>, N].</summary>
    public Span<double> Values { get; }

    /// <summary>Gets N, the number of pairs.</summary>
    public int Count => Values.Length / PairBatch.SequenceCount;

    /// <summary>Gets the derivatives with respect to one sequence's summed log-probability. Dimensionless. Shape [N].</summary>
    /// <param name="sequence">The sequence.</param>
    /// <returns>A view of the row.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="sequence"/> is not a value of the enum.</exception>
    public Span<double> Row(PairSequence sequence)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)sequence, (uint)PairBatch.SequenceCount, nameof(sequence));
        return Values.Slice((int)sequence * Count, Count);
    }
}
