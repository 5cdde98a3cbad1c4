using System.Globalization;

namespace Aries.Preferences;

/// <summary>Supervised fine-tuning: the negative log-likelihood of the chosen response.</summary>
/// <remarks>
/// <para>The maximum-likelihood objective of Ouyang et al. 2022, <see href="https://arxiv.org/abs/2203.02155"/>, Section 3.5 (supervised fine-tuning):</para>
/// <code>
/// loss = −log πθ(y_w|x) · s,   s = 1 (sum) or PairCount / ChosenTokenCount (token mean)
/// </code>
/// <para>Log-probabilities are natural logs (nats), summed over the response's tokens.</para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class SupervisedLoss : IPreferenceLoss, IAccumulatingLoss
{
    private readonly LossNormalization _normalization;

    /// <summary>Initializes a new instance of the <see cref="SupervisedLoss"/> class.</summary>
    /// <param name="normalization">How the negative log-likelihood is scaled.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="normalization"/> is not a value of the enum.</exception>
    public SupervisedLoss(LossNormalization normalization = LossNormalization.TokenMean)
    {
        if (!Enum.IsDefined(normalization))
        {
            throw new ArgumentOutOfRangeException(nameof(normalization), normalization, "The normalization must be a value of the enum.");
        }

        _normalization = normalization;
    }

    /// <inheritdoc/>
    public PairSequences Sequences => PairSequences.Chosen;

    /// <inheritdoc/>
    public bool NeedsReference => false;

    bool IAccumulatingLoss.NeedsChosenTokenCount => _normalization == LossNormalization.TokenMean;

    /// <inheritdoc/>
    public void Compute(in PairBatch batch, Span<double> losses, in PairGradients gradients) => LossGuard.Compute(this, batch, losses, gradients);

    /// <summary>Returns the name and every option, the same in every culture.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(SupervisedLoss)} {{ Normalization = {_normalization} }}");

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients) =>
        LikelihoodKernel.Accumulate(PairSequence.Chosen, _normalization, batch, weight, losses, gradients);
}
