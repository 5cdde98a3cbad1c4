using System.Numerics.Tensors;

namespace Aries.Preferences;

/// <summary>Adds the negative log-likelihood of one sequence to losses and gradients.</summary>
internal static class LikelihoodKernel
{
    public static void Accumulate(PairSequence sequence, LossNormalization normalization, in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients)
    {
        double scale = normalization == LossNormalization.Sum ? -weight : -weight * batch.PairCount / batch.ChosenTokenCount;
        MarginKernel.AddScaled(batch.Policy(sequence), scale, losses);
        Span<double> row = gradients.Row(sequence);
        TensorPrimitives.Add(row, scale, row);
    }
}
