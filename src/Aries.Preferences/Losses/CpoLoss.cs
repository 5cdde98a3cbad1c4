using System.Globalization;
using System.Numerics.Tensors;

namespace Aries.Preferences;

/// <summary>Contrastive Preference Optimization: a logistic loss on the policy's own log-probabilities, with the chosen response's negative log-likelihood beside it and no reference.</summary>
/// <remarks>
/// <para>Xu et al. 2024, <see href="https://arxiv.org/abs/2401.08417"/>, the loss L_prefer + L_NLL:</para>
/// <code>
/// h    = log πθ(y_w|x) − log πθ(y_l|x)
/// loss = −log σ(β·h) + w · NLL(y_w|x)
/// </code>
/// <para>
/// Log-probabilities are natural logs (nats), summed over the response's tokens, never averaged.</para>
/// <para>The paper's weight w is 1. The negative log-likelihood is scaled as <see cref="CpoLossOptions.Normalization"/> says.
/// </para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class CpoLoss : IPreferenceLoss, IAccumulatingLoss, IMarginFunction
{
    private readonly CpoLossOptions _options;

    /// <summary>Initializes a new instance of the <see cref="CpoLoss"/> class with the default options.</summary>
    public CpoLoss()
        : this(new CpoLossOptions())
    {
    }

    /// <summary>Initializes a new instance of the <see cref="CpoLoss"/> class.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public CpoLoss(CpoLossOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options with { };
    }

    /// <inheritdoc/>
    public PairSequences Sequences => PairSequences.Direct;

    /// <inheritdoc/>
    public bool NeedsReference => false;

    /// <inheritdoc/>
    public ImplicitReward Reward => new(_options.Beta);

    bool IAccumulatingLoss.NeedsChosenTokenCount => _options.NllWeight > 0 && _options.Normalization == LossNormalization.TokenMean;

    /// <inheritdoc/>
    public void Compute(in PairBatch batch, Span<double> losses, in PairGradients gradients) => LossGuard.Compute(this, batch, losses, gradients);

    /// <summary>Returns the name and every option, the same in every culture.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(CpoLoss)} {{ Beta = {_options.Beta}, NllWeight = {_options.NllWeight}, Normalization = {_options.Normalization} }}");

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients)
    {
        MarginKernel.Accumulate(this, PairSequence.Chosen, PairSequence.Rejected, reference: false, averaged: false, batch, weight, losses, gradients);
        if (_options.NllWeight > 0)
        {
            LikelihoodKernel.Accumulate(PairSequence.Chosen, _options.Normalization, batch, weight * _options.NllWeight, losses, gradients);
        }
    }

    void IMarginFunction.Evaluate(ReadOnlySpan<double> margins, ReadOnlySpan<double> labels, Span<double> values, Span<double> derivatives)
    {
        TensorPrimitives.Multiply(margins, -_options.Beta, derivatives);
        StableMath.SoftplusAndSigmoid(derivatives, values, derivatives);
        TensorPrimitives.Multiply(derivatives, -_options.Beta, derivatives);
    }
}
