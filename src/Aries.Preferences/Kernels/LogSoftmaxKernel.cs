using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Aries.Preferences;

/// <summary>Log-softmax, gather and their gradient over a chunk of logits: what turns a language model's output into log-probabilities of chosen tokens, and back.</summary>
/// <remarks>
/// <para>
/// The full [tokens, vocabulary] matrix is never needed at once: an engine computes the logits of a few rows, calls <see cref="LogProbabilities"/>, and later recomputes them and calls
/// <see cref="Gradient"/> in place. An engine that has no whole row at once takes <see cref="RunningSoftmax"/>. With m the largest logit of a row,
/// </para>
/// <code>
/// lse       = m + log Σ_v exp(x_v − m)
/// log p(t)  = x_t − lse
/// entropy   = lse − Σ_v p_v · x_v
/// ∂/∂x Σ_j c_j · log p(t_j) = Σ_j c_j · (onehot(t_j) − softmax(x))
/// </code>
/// <para>
/// Exponentials are taken in float, summed in float over runs of at most 16 and in double from there. The logarithm of the sum is within 2e-6 nats of the exact one for any vocabulary, the entropy
/// within 2e-5 nats, and a probability p that the gradient uses within 3e-7 · (1 − log p) relative (values below 1e-37 may become 0).
/// </para>
/// <para>
/// A result depends on its own row only: neither the chunk that a row stands in nor its place there changes a bit. A logit of −∞ is a token of probability 0.
/// The subtraction of the maximum is Milakov and Gimelshein 2018, <see href="https://arxiv.org/abs/1805.02867"/>, Section 2.
/// </para>
/// </remarks>
/// <threadsafety>Stateless; every member may be called concurrently on memory that no other call writes. No member starts threads: split the rows to use several.</threadsafety>
public static class LogSoftmaxKernel
{
    // 8 KiB, read twice: from memory for their maximum, from the nearest cache for their sums.
    private const int PartLength = 2048;

    /// <summary>Computes log Σ exp of each row.</summary>
    /// <param name="logits">The logits, row-major. Shape [R, V].</param>
    /// <param name="vocabulary">V, at least 1.</param>
    /// <param name="logSumExps">Receives the logarithm of the sum, in nats. Shape [R].</param>
    /// <param name="entropies">Receives the entropy of each row's softmax, in nats; empty leaves it out. Shape [R] or [0].</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="vocabulary"/> is less than 1.</exception>
    /// <exception cref="ArgumentException">The spans' lengths do not fit; or a row holds NaN or +∞, or −∞ only. The message names the row.</exception>
    public static void LogSumExps(ReadOnlySpan<float> logits, int vocabulary, Span<double> logSumExps, Span<double> entropies = default)
    {
        int rows = CheckRows(logits.Length, vocabulary, logSumExps.Length, nameof(logSumExps));
        if (!entropies.IsEmpty && entropies.Length != rows)
        {
            throw new ArgumentException($"There is room for {entropies.Length} entropies and there are {rows} rows.", nameof(entropies));
        }

        if (entropies.Overlaps(logSumExps))
        {
            throw new ArgumentException("The entropies overlap the logarithms of the sums.", nameof(entropies));
        }

        for (int r = 0; r < rows; r++)
        {
            ReadOnlySpan<float> row = logits.Slice(r * vocabulary, vocabulary);
            RunningSoftmax softmax = default;
            for (int start = 0; start < vocabulary; start += PartLength)
            {
                softmax.Add(row.Slice(start, Math.Min(PartLength, vocabulary - start)));
            }

            logSumExps[r] = softmax.LogSumExp;
            if (!double.IsFinite(logSumExps[r]))
            {
                throw new ArgumentException(
                    $"The largest logit of row {r} is {TensorPrimitives.Max(row)}: the row holds NaN or +∞, or nothing but −∞. The weights or the activations have overflowed.", nameof(logits));
            }

            if (!entropies.IsEmpty)
            {
                entropies[r] = softmax.Entropy;
            }
        }
    }

    /// <summary>Computes the log-probability of one target token a row.</summary>
    /// <param name="logits">The logits, row-major. Shape [R, V].</param>
    /// <param name="vocabulary">V, at least 1.</param>
    /// <param name="targets">The token whose probability is wanted, in [0, V). Shape [R].</param>
    /// <param name="logProbabilities">Receives log p(target), in nats; −∞ where the target's logit is −∞. Shape [R].</param>
    /// <param name="logSumExps">Receives what <see cref="Gradient"/> needs. Shape [R].</param>
    /// <param name="entropies">Receives the entropy of each row's softmax, in nats; empty leaves it out. Shape [R] or [0].</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="vocabulary"/> is less than 1, or a target is outside [0, V).</exception>
    /// <exception cref="ArgumentException">The spans' lengths do not fit, or outputs overlap; or a row holds NaN or +∞, or −∞ only. The message names the row.</exception>
    public static void LogProbabilities(
        ReadOnlySpan<float> logits,
        int vocabulary,
        ReadOnlySpan<int> targets,
        Span<double> logProbabilities,
        Span<double> logSumExps,
        Span<double> entropies = default)
    {
        int rows = CheckRows(logits.Length, vocabulary, targets.Length, nameof(targets));
        if (logProbabilities.Length != rows || logSumExps.Length != rows)
        {
            throw new ArgumentException($"There is room for {logProbabilities.Length} log-probabilities and {logSumExps.Length} sums, and there are {rows} rows.", nameof(logProbabilities));
        }

        if (logProbabilities.Overlaps(logSumExps) || logProbabilities.Overlaps(entropies))
        {
            throw new ArgumentException("The log-probabilities overlap another output.", nameof(logProbabilities));
        }

        CheckTargets(targets, vocabulary);
        LogSumExps(logits, vocabulary, logSumExps, entropies);
        for (int r = 0; r < rows; r++)
        {
            logProbabilities[r] = logits[(r * vocabulary) + targets[r]] - logSumExps[r];
        }
    }

    /// <summary>Computes the log-probabilities of any number of targets a row: in a token tree, a prompt's last position predicts the first token of every response.</summary>
    /// <param name="logits">The logits, row-major. Shape [R, V].</param>
    /// <param name="vocabulary">V, at least 1.</param>
    /// <param name="logSumExps">What <see cref="LogSumExps"/> gave for these logits. Shape [R].</param>
    /// <param name="rows">The row of each target, in [0, R), in any order. Shape [M].</param>
    /// <param name="targets">The tokens whose probabilities are wanted, in [0, V). Shape [M].</param>
    /// <param name="logProbabilities">Receives log p(target | row), in nats. Shape [M].</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="vocabulary"/> is less than 1, or a target or a row is out of range.</exception>
    /// <exception cref="ArgumentException">The spans' lengths do not fit, or <paramref name="logProbabilities"/> overlaps <paramref name="logSumExps"/>.</exception>
    public static void Gather(
        ReadOnlySpan<float> logits,
        int vocabulary,
        ReadOnlySpan<double> logSumExps,
        ReadOnlySpan<int> rows,
        ReadOnlySpan<int> targets,
        Span<double> logProbabilities)
    {
        int rowCount = CheckRows(logits.Length, vocabulary, logSumExps.Length, nameof(logSumExps));
        if (targets.Length != rows.Length || logProbabilities.Length != rows.Length)
        {
            throw new ArgumentException($"There are {rows.Length} rows, {targets.Length} targets and room for {logProbabilities.Length} log-probabilities; the three must agree.", nameof(rows));
        }

        if (logProbabilities.Overlaps(logSumExps))
        {
            throw new ArgumentException("The log-probabilities overlap the logarithms of the sums.", nameof(logProbabilities));
        }

        CheckTargets(targets, vocabulary);
        for (int j = 0; j < rows.Length; j++)
        {
            int row = rows[j];
            if ((uint)row >= (uint)rowCount)
            {
                throw new ArgumentOutOfRangeException(nameof(rows), row, $"Entry {j} names a row outside [0, {rowCount}).");
            }

            logProbabilities[j] = logits[(row * vocabulary) + targets[j]] - logSumExps[row];
        }
    }

    /// <summary>Replaces logits by the gradient of a weighted sum of log-probabilities: row r becomes Σ_j c_j · (onehot(t_j) − softmax(row r)) over the entries j of that row.</summary>
    /// <remarks>A row without an entry becomes 0. For a mean over pairs, c_j is ∂loss/∂log πθ of the sequence that target j belongs to, divided by the pairs of the optimiser batch.</remarks>
    /// <param name="logits">The logits; receives the gradient. Shape [R, V], row-major.</param>
    /// <param name="vocabulary">V, at least 1.</param>
    /// <param name="logSumExps">What <see cref="LogSumExps"/> or <see cref="LogProbabilities"/> gave for these logits. Shape [R].</param>
    /// <param name="rows">The row of each entry, in [0, R), never decreasing. Shape [M].</param>
    /// <param name="targets">The target token of each entry, in [0, V). Shape [M].</param>
    /// <param name="coefficients">c_j; finite. Shape [M].</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="vocabulary"/> is less than 1, or a target or a row is out of range.</exception>
    /// <exception cref="ArgumentException">
    /// The spans' lengths do not fit, the rows decrease, or a coefficient or a logarithm of a sum is NaN or infinite. Nothing has been written then.
    /// </exception>
    public static void Gradient(
        Span<float> logits,
        int vocabulary,
        ReadOnlySpan<double> logSumExps,
        ReadOnlySpan<int> rows,
        ReadOnlySpan<int> targets,
        ReadOnlySpan<double> coefficients)
    {
        int rowCount = CheckRows(logits.Length, vocabulary, logSumExps.Length, nameof(logSumExps));
        if (targets.Length != rows.Length || coefficients.Length != rows.Length)
        {
            throw new ArgumentException($"There are {rows.Length} rows, {targets.Length} targets and {coefficients.Length} coefficients; the three must agree.", nameof(rows));
        }

        CheckTargets(targets, vocabulary);
        CheckEntries(rows, coefficients, rowCount);
        for (int r = 0; r < rowCount; r++)
        {
            if (!double.IsFinite(logSumExps[r]))
            {
                throw new ArgumentException($"The logarithm of the sum of row {r} is {logSumExps[r]}.", nameof(logSumExps));
            }
        }

        int entry = 0;
        for (int r = 0; r < rowCount; r++)
        {
            int first = entry;
            double total = 0;
            for (; entry < rows.Length && rows[entry] == r; entry++)
            {
                total += coefficients[entry];
            }

            Span<float> row = logits.Slice(r * vocabulary, vocabulary);
            if (first == entry)
            {
                row.Clear();
                continue;
            }

            ScaledSoftmax(row, logSumExps[r], (float)-total);
            for (int j = first; j < entry; j++)
            {
                row[targets[j]] += (float)coefficients[j];
            }
        }
    }

    private static void ScaledSoftmax(Span<float> row, double logSumExp, float scale)
    {
        // The sum's logarithm has more digits than a float holds: what rounding takes off is given back as a factor near 1.
        float shift = (float)logSumExp;
        float corrected = scale * (float)Math.Exp(shift - logSumExp);
        Vector512<float> shifts = Vector512.Create(shift);
        Vector512<float> scales = Vector512.Create(corrected);
        ref float start = ref MemoryMarshal.GetReference(row);
        int i = 0;
        for (; i + Vector512<float>.Count <= row.Length; i += Vector512<float>.Count)
        {
            Vector512<float> exponential = VectorExp.Exp(Vector512.LoadUnsafe(ref start, (nuint)i) - shifts);
            (exponential * scales).StoreUnsafe(ref start, (nuint)i);
        }

        if (i < row.Length)
        {
            Vector512<float> exponential = VectorExp.Exp(RunningSoftmax.LoadEnd(row[i..], shift) - shifts);
            RunningSoftmax.StoreEnd(exponential * scales, row[i..]);
        }
    }

    private static int CheckRows(int logits, int vocabulary, int rows, string name)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabulary, 1);
        if ((long)rows * vocabulary != logits)
        {
            throw new ArgumentException($"{logits} logits are not {rows} rows of {vocabulary}.", name);
        }

        return rows;
    }

    private static void CheckTargets(ReadOnlySpan<int> targets, int vocabulary)
    {
        for (int j = 0; j < targets.Length; j++)
        {
            if ((uint)targets[j] >= (uint)vocabulary)
            {
                throw new ArgumentOutOfRangeException(nameof(targets), targets[j], $"Target {j} is outside the vocabulary [0, {vocabulary}).");
            }
        }
    }

    private static void CheckEntries(ReadOnlySpan<int> rows, ReadOnlySpan<double> coefficients, int rowCount)
    {
        int previous = 0;
        for (int j = 0; j < rows.Length; j++)
        {
            if ((uint)rows[j] >= (uint)rowCount)
            {
                throw new ArgumentOutOfRangeException(nameof(rows), rows[j], $"Entry {j} names a row outside [0, {rowCount}).");
            }

            if (rows[j] < previous)
            {
                throw new ArgumentException($"Entry {j} names row {rows[j]} after row {previous}; order the entries by row.", nameof(rows));
            }

            previous = rows[j];
            if (!double.IsFinite(coefficients[j]))
            {
                throw new ArgumentException($"Coefficient {j} is {coefficients[j]}.", nameof(coefficients));
            }
        }
    }
}
