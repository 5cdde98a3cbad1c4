using System.Globalization;

namespace Aries.Preferences;

/// <summary>The supervised warm-up of ARIES: the chosen response is learnt both as an answer and as the refinement of the rejected one.</summary>
/// <remarks>
/// <para>ARIES 2025, <see href="https://arxiv.org/abs/2502.05605"/>, Eq. 4:</para>
/// <code>
/// loss = −[log πθ(y_w|x) + log πθ(y_w|x, y_l, z)] · s,   s = 1 (sum, the paper) or PairCount / ChosenTokenCount (token mean)
/// </code>
/// <para>Log-probabilities are natural logs (nats), summed over the tokens of y_w; y_l and the template z are prompt text and carry no loss.</para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class AriesSupervisedLoss : IPreferenceLoss, IAccumulatingLoss
{
    private readonly LossNormalization _normalization;

    /// <summary>Initializes a new instance of the <see cref="AriesSupervisedLoss"/> class.</summary>
    /// <param name="normalization">How the negative log-likelihood is scaled.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="normalization"/> is not a value of the enum.</exception>
    public AriesSupervisedLoss(LossNormalization normalization = LossNormalization.Sum)
    {
        if (!Enum.IsDefined(normalization))
        {
            throw new ArgumentOutOfRangeException(nameof(normalization), normalization, "The normalization must be a value of the enum.");
        }

        _normalization = normalization;
    }

    /// <inheritdoc/>
    public PairSequences Sequences => PairSequences.Chosen | PairSequences.ChosenGivenRejected;

    /// <inheritdoc/>
    public bool NeedsReference => false;

    bool IAccumulatingLoss.NeedsChosenTokenCount => _normalization == LossNormalization.TokenMean;

    /// <inheritdoc/>
    public void Compute(in PairBatch batch, Span<double> losses, in PairGradients gradients) => LossGuard.Compute(this, batch, losses, gradients);

    /// <summary>Returns the name and every option, the same in every culture.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(AriesSupervisedLoss)} {{ Normalization = {_normalization} }}");

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients)
    {
        LikelihoodKernel.Accumulate(PairSequence.Chosen, _normalization, batch, weight, losses, gradients);
        LikelihoodKernel.Accumulate(PairSequence.ChosenGivenRejected, _normalization, batch, weight, losses, gradients);
    }
}
