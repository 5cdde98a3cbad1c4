using System.Numerics.Tensors;

namespace Aries.Preferences;

/// <summary>The checks that every loss makes before it computes, and the errors that they give.</summary>
internal static class LossGuard
{
    public static void Compute<TLoss>(TLoss loss, in PairBatch batch, Span<double> losses, in PairGradients gradients)
        where TLoss : IAccumulatingLoss
    {
        CheckOutputs(batch, losses, gradients);
        CheckInputs(loss, batch);
        losses.Clear();
        gradients.Values.Clear();
        loss.Accumulate(batch, 1, losses, gradients);
    }

    public static void CheckOutputs(in PairBatch batch, Span<double> losses, in PairGradients gradients)
    {
        if (losses.Length != batch.Count)
        {
            throw new ArgumentException($"There is room for {losses.Length} losses and there are {batch.Count} pairs.", nameof(losses));
        }

        if (gradients.Count != batch.Count)
        {
            throw new ArgumentException($"There is room for the gradients of {gradients.Count} pairs and there are {batch.Count}.", nameof(gradients));
        }

        if (losses.Overlaps(gradients.Values) || batch.SharesMemoryWith(losses))
        {
            throw new ArgumentException("The losses overlap the gradients or the batch.", nameof(losses));
        }

        if (batch.SharesMemoryWith(gradients.Values))
        {
            throw new ArgumentException("The gradients overlap the batch.", nameof(gradients));
        }
    }

    public static void CheckInputs<TLoss>(TLoss loss, in PairBatch batch)
        where TLoss : IAccumulatingLoss
    {
        if (batch.Count == 0)
        {
            return;
        }

        if (loss.NeedsReference && !batch.HasReference)
        {
            throw new ArgumentException($"{loss.GetType().Name} needs the reference's log-probabilities and the batch holds none.", nameof(batch));
        }

        for (int row = 0; row < PairBatch.SequenceCount; row++)
        {
            PairSequence sequence = (PairSequence)row;
            if (!Contains(loss.Sequences, sequence))
            {
                continue;
            }

            CheckFinite(batch.Policy(sequence), "policy", sequence);
            if (loss.NeedsReference)
            {
                CheckFinite(batch.Reference(sequence), "reference", sequence);
            }

            if (Contains(loss.AveragedSequences, sequence))
            {
                CheckLengths(loss, batch, sequence);
            }
        }

        if (loss.NeedsChosenTokenCount && batch.ChosenTokenCount < 1)
        {
            throw new ArgumentException($"{loss.GetType().Name} divides by the tokens of the chosen responses, and the batch has {batch.ChosenTokenCount}; pass lengths, or the count.", nameof(batch));
        }

        CheckLabels(batch.ChosenProbabilities, loss);
    }

    public static void CheckPositive(double value, string name, string hint)
    {
        // Written as "not inside" so that NaN, which fails every comparison, is rejected too.
        if (!(value > 0 && double.IsFinite(value)))
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be finite and greater than 0; {hint}");
        }
    }

    public static void CheckSmoothing(double value, string name)
    {
        if (!(value >= 0 && value < 0.5))
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} is the share of labels that are wrong; it must be at least 0 and less than 0.5.");
        }
    }

    public static void CheckFinite(ReadOnlySpan<double> row, string model, PairSequence? sequence)
    {
        if (row.IsEmpty || double.IsFinite(TensorPrimitives.MaxMagnitude(row)))
        {
            return;
        }

        int i = 0;
        while (double.IsFinite(row[i]))
        {
            i++;
        }

        string what = sequence is { } s ? $"Pair {i}: the {model}'s log-probability of {s}" : $"Example {i}: the {model}'s log-probability";
        throw new ArgumentException($"{what} is {row[i]}. Log-probabilities must be finite: look for an overflow in the model, or for a token of probability 0.");
    }

    private static bool Contains(PairSequences set, PairSequence sequence) => ((int)set >> (int)sequence & 1) != 0;

    private static void CheckLengths<TLoss>(TLoss loss, in PairBatch batch, PairSequence sequence)
        where TLoss : IAccumulatingLoss
    {
        if (!batch.HasLengths)
        {
            throw new ArgumentException($"{loss.GetType().Name} averages over tokens and the batch holds no lengths.", nameof(batch));
        }

        ReadOnlySpan<int> lengths = batch.Lengths(sequence);
        for (int i = 0; i < lengths.Length; i++)
        {
            if (lengths[i] < 1)
            {
                throw new ArgumentException($"Pair {i}: {sequence} has {lengths[i]} tokens, and {loss.GetType().Name} divides by them. Drop pairs with an empty response.", nameof(batch));
            }
        }
    }

    private static void CheckLabels<TLoss>(ReadOnlySpan<double> labels, TLoss loss)
        where TLoss : IAccumulatingLoss
    {
        for (int i = 0; i < labels.Length; i++)
        {
            if (!(labels[i] >= 0 && labels[i] <= 1))
            {
                throw new ArgumentException($"Pair {i}: the probability that the chosen response is better is {labels[i]}; it must be in [0, 1].");
            }

            if (labels[i] != 1 && !loss.HonorsSoftLabels)
            {
                throw new NotSupportedException(
                    $"Pair {i} has the label probability {labels[i]}, and {loss.GetType().Name} takes hard labels only. Use DpoLoss, RefinementLoss or AriesLoss, or leave the probabilities out.");
            }
        }
    }
}
