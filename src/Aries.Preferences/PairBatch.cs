namespace Aries.Preferences;

/// <summary>One batch of preference pairs as the losses see it: log-probabilities and lengths, never tokens or logits.</summary>
/// <remarks>
/// <para>
/// The spans are flat, one row a <see cref="PairSequence"/>, in the enum's order: [<see cref="SequenceCount"/>, N] row-major. Rows that the loss does not ask for in
/// <see cref="IPreferenceLoss.Sequences"/> are never read and may hold anything.
/// </para>
/// <para>Log-probabilities are natural logs (nats), summed over the response's tokens, never averaged.</para>
/// <para>
/// A batch may be one part of a larger optimiser batch (gradient accumulation). <see cref="PairCount"/> and <see cref="ChosenTokenCount"/> then describe the whole, so that the gradients of the
/// parts, each divided by <see cref="PairCount"/>, add up to the gradient of the whole.
/// </para>
/// </remarks>
/// <threadsafety>Immutable; the caller keeps the memory behind the spans unchanged while it is in use.</threadsafety>
public readonly ref struct PairBatch
{
    /// <summary>The number of rows: one for each value of <see cref="PairSequence"/>.</summary>
    public const int SequenceCount = 7;

    private readonly ReadOnlySpan<double> _policy;
    private readonly ReadOnlySpan<double> _reference;
    private readonly ReadOnlySpan<int> _lengths;

    /// <summary>Initializes a new instance of the <see cref="PairBatch"/> struct over memory that the caller owns.</summary>
    /// <param name="policy">log πθ of each sequence, in nats. Shape [<see cref="SequenceCount"/>, N].</param>
    /// <param name="reference">log πref of each sequence, in nats; empty where no reference was scored. Shape [<see cref="SequenceCount"/>, N] or [0].</param>
    /// <param name="lengths">Response tokens of each sequence; empty where they are not known. Shape [<see cref="SequenceCount"/>, N] or [0].</param>
    /// <param name="chosenProbabilities">p̂, the probability in [0, 1] that the chosen response is the better one; empty means 1 (hard labels). Shape [N] or [0].</param>
    /// <param name="pairCount">Pairs in the whole optimiser batch, at least N; null means N.</param>
    /// <param name="chosenTokenCount">
    /// Tokens of the chosen responses in the whole optimiser batch, at least those of this batch; null means those of this batch (0 where <paramref name="lengths"/> is empty).
    /// </param>
    /// <exception cref="ArgumentException">A span's length does not fit.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="pairCount"/> or <paramref name="chosenTokenCount"/> is smaller than what this batch holds.</exception>
    public PairBatch(
        ReadOnlySpan<double> policy,
        ReadOnlySpan<double> reference,
        ReadOnlySpan<int> lengths,
        ReadOnlySpan<double> chosenProbabilities = default,
        int? pairCount = null,
        int? chosenTokenCount = null)
    {
        if (policy.Length % SequenceCount != 0)
        {
            throw new ArgumentException($"Policy log-probabilities come in {SequenceCount} rows of equal length; {policy.Length} values do not divide into them.", nameof(policy));
        }

        int count = policy.Length / SequenceCount;
        if (!reference.IsEmpty && reference.Length != policy.Length)
        {
            throw new ArgumentException($"There are {reference.Length} reference log-probabilities for {policy.Length} of the policy; pass as many, or none.", nameof(reference));
        }

        if (!lengths.IsEmpty && lengths.Length != policy.Length)
        {
            throw new ArgumentException($"There are {lengths.Length} lengths for {policy.Length} log-probabilities; pass as many, or none.", nameof(lengths));
        }

        if (!chosenProbabilities.IsEmpty && chosenProbabilities.Length != count)
        {
            throw new ArgumentException($"There are {chosenProbabilities.Length} label probabilities for {count} pairs; pass as many, or none.", nameof(chosenProbabilities));
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(pairCount ?? count, count, nameof(pairCount));

        int chosenTokens = 0;
        if (!lengths.IsEmpty)
        {
            foreach (int length in lengths.Slice((int)PairSequence.Chosen * count, count))
            {
                chosenTokens = checked(chosenTokens + length);
            }
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(chosenTokenCount ?? chosenTokens, chosenTokens, nameof(chosenTokenCount));

        _policy = policy;
        _reference = reference;
        _lengths = lengths;
        ChosenProbabilities = chosenProbabilities;
        Count = count;
        PairCount = pairCount ?? count;
        ChosenTokenCount = chosenTokenCount ?? chosenTokens;
    }

    /// <summary>Gets N, the number of pairs in this batch.</summary>
    public int Count { get; }

    /// <summary>Gets the number of pairs in the whole optimiser batch: N unless gradients are accumulated over several batches.</summary>
    public int PairCount { get; }

    /// <summary>Gets the number of tokens of the chosen responses in the whole optimiser batch.</summary>
    public int ChosenTokenCount { get; }

    /// <summary>Gets p̂, the probability that the chosen response is the better one; empty means 1 for every pair. Shape [N] or [0].</summary>
    public ReadOnlySpan<double> ChosenProbabilities { get; }

    /// <summary>Gets a value indicating whether the reference's log-probabilities are here.</summary>
    public bool HasReference => _reference.Length == _policy.Length;

    /// <summary>Gets a value indicating whether the lengths are here.</summary>
    public bool HasLengths => _lengths.Length == _policy.Length;

    /// <summary>Gets log πθ of one sequence of every pair, in nats. Shape [N].</summary>
    /// <param name="sequence">The sequence.</param>
    /// <returns>A view of the row.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="sequence"/> is not a value of the enum.</exception>
    public ReadOnlySpan<double> Policy(PairSequence sequence) => Row(_policy, sequence, Count);

    /// <summary>Gets log πref of one sequence of every pair, in nats. Shape [N].</summary>
    /// <param name="sequence">The sequence.</param>
    /// <returns>A view of the row.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="sequence"/> is not a value of the enum.</exception>
    /// <exception cref="InvalidOperationException">The batch holds no reference.</exception>
    public ReadOnlySpan<double> Reference(PairSequence sequence) => HasReference
        ? Row(_reference, sequence, Count)
        : throw new InvalidOperationException("The batch holds no reference log-probabilities.");

    /// <summary>Gets the response tokens of one sequence of every pair. Shape [N].</summary>
    /// <param name="sequence">The sequence.</param>
    /// <returns>A view of the row.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="sequence"/> is not a value of the enum.</exception>
    /// <exception cref="InvalidOperationException">The batch holds no lengths.</exception>
    public ReadOnlySpan<int> Lengths(PairSequence sequence) => HasLengths
        ? Row(_lengths, sequence, Count)
        : throw new InvalidOperationException("The batch holds no lengths.");

    internal bool SharesMemoryWith(ReadOnlySpan<double> values) =>
        _policy.Overlaps(values) || _reference.Overlaps(values) || ChosenProbabilities.Overlaps(values);

    private static ReadOnlySpan<T> Row<T>(ReadOnlySpan<T> rows, PairSequence sequence, int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)sequence, (uint)SequenceCount, nameof(sequence));
        return rows.Slice((int)sequence * count, count);
    }
}
