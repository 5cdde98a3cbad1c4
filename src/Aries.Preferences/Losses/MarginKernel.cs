using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace Aries.Preferences;

/// <summary>A loss that is a function of one margin a pair.</summary>
internal interface IMarginFunction
{
    /// <summary>Evaluates the function and its derivative.</summary>
    /// <param name="margins">h, in nats. Shape [n], n at most <see cref="MarginKernel.Block"/>.</param>
    /// <param name="labels">p̂; empty means 1. Shape [n] or [0].</param>
    /// <param name="values">Receives f(h). Shape [n].</param>
    /// <param name="derivatives">Receives f′(h). Shape [n].</param>
    void Evaluate(ReadOnlySpan<double> margins, ReadOnlySpan<double> labels, Span<double> values, Span<double> derivatives);
}

/// <summary>Adds a function of the margin between two sequences to losses and gradients, in blocks that stay in the first-level cache.</summary>
internal static class MarginKernel
{
    public const int Block = 64;

    /// <summary>h = [log πθ(better) − log πref(better)] − [log πθ(worse) − log πref(worse)], with the reference left out, or each difference divided by its tokens, where asked.</summary>
    [SkipLocalsInit]
    public static void Accumulate<TFunction>(
        TFunction function,
        PairSequence better,
        PairSequence worse,
        bool reference,
        bool averaged,
        in PairBatch batch,
        double weight,
        Span<double> losses,
        in PairGradients gradients)
        where TFunction : IMarginFunction
    {
        Span<double> margins = stackalloc double[Block];
        Span<double> other = stackalloc double[Block];
        Span<double> values = stackalloc double[Block];
        Span<double> derivatives = stackalloc double[Block];
        for (int start = 0; start < batch.Count; start += Block)
        {
            int n = Math.Min(Block, batch.Count - start);
            margins = margins[..n];
            other = other[..n];
            values = values[..n];
            derivatives = derivatives[..n];

            Score(batch, better, reference, averaged, start, margins);
            Score(batch, worse, reference, averaged, start, other);
            TensorPrimitives.Subtract(margins, other, margins);
            ReadOnlySpan<double> labels = batch.ChosenProbabilities.IsEmpty ? default : batch.ChosenProbabilities.Slice(start, n);

            function.Evaluate(margins, labels, values, derivatives);

            AddScaled(values, weight, losses.Slice(start, n));
            Span<double> betterRow = gradients.Row(better).Slice(start, n);
            Span<double> worseRow = gradients.Row(worse).Slice(start, n);
            if (averaged)
            {
                Divide(derivatives, batch.Lengths(better).Slice(start, n), other);
                AddScaled(other, weight, betterRow);
                Divide(derivatives, batch.Lengths(worse).Slice(start, n), other);
                AddScaled(other, -weight, worseRow);
            }
            else
            {
                AddScaled(derivatives, weight, betterRow);
                AddScaled(derivatives, -weight, worseRow);
            }
        }
    }

    public static void AddScaled(ReadOnlySpan<double> values, double weight, Span<double> destination) =>
        TensorPrimitives.MultiplyAdd(values, weight, destination, destination);

    /// <summary>The log-ratio (or the log-probability) of one sequence, averaged over its tokens where asked.</summary>
    public static void Score(in PairBatch batch, PairSequence sequence, bool reference, bool averaged, int start, Span<double> destination)
    {
        ReadOnlySpan<double> policy = batch.Policy(sequence).Slice(start, destination.Length);
        if (reference)
        {
            TensorPrimitives.Subtract(policy, batch.Reference(sequence).Slice(start, destination.Length), destination);
        }
        else
        {
            policy.CopyTo(destination);
        }

        if (averaged)
        {
            Divide(destination, batch.Lengths(sequence).Slice(start, destination.Length), destination);
        }
    }

    private static void Divide(ReadOnlySpan<double> values, ReadOnlySpan<int> lengths, Span<double> destination)
    {
        for (int i = 0; i < values.Length; i++)
        {
            destination[i] = values[i] / lengths[i];
        }
    }
}
