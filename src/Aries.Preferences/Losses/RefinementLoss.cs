using System.Globalization;
using System.Numerics.Tensors;

namespace Aries.Preferences;

/// <summary>The ARIES refinement loss: teaches the policy to turn a bad answer into a good one, and not a good one into a bad one.</summary>
/// <remarks>
/// <para>
/// Derived from ARIES 2025, <see href="https://arxiv.org/abs/2502.05605"/>, Eq. 5, which maximises the probability p(y2 ≻ y1|x) that a refinement y2 beats the answer y1, less β times the divergence
/// from the reference. Its optimum satisfies v = p − 1/2 for every pair of answers; the loss regresses v to it, with p̂ for p:
/// </para>
/// <code>
/// LR(y)          = log πθ(y|x, y1, z) − log πref(y|x, y1, z)
/// v(x, y1, y2)   = β · [LR(y2|x, y1, z) − LR(y1|x, y1, z)]
/// two-sided loss = ((p̂ − 1/2) − v(x, y_l, y_w))² + ((1/2 − p̂) − v(x, y_w, y_l))²
/// one-sided loss = ((p̂ − 1/2) − v(x, y_l, y_w))²
/// </code>
/// <para>The regression form is that of IPO, Azar et al. 2023, <see href="https://arxiv.org/abs/2310.12036"/>, Eq. 17.</para>
/// <para>
/// With hard labels p̂ = 1 and the targets are 1/2 and −1/2: the loss is 0.5 (one-sided 0.25) where policy and reference agree, and the learnt gap of log-ratios ends at 1/(2β) nats; beyond it the
/// gradient pulls back.
/// </para>
/// <para>Log-probabilities are natural logs (nats), summed over the response's tokens, never averaged. No gradient flows into how y1 was made.</para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class RefinementLoss : IPreferenceLoss, IAccumulatingLoss, IMarginFunction
{
    private readonly RefinementLossOptions _options;

    /// <summary>Initializes a new instance of the <see cref="RefinementLoss"/> class with the default options.</summary>
    public RefinementLoss()
        : this(new RefinementLossOptions())
    {
    }

    /// <summary>Initializes a new instance of the <see cref="RefinementLoss"/> class.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public RefinementLoss(RefinementLossOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options with { };
    }

    /// <inheritdoc/>
    public PairSequences Sequences => _options.TwoSided
        ? PairSequences.Refinement
        : PairSequences.ChosenGivenRejected | PairSequences.RejectedGivenRejected;

    /// <inheritdoc/>
    public bool NeedsReference => true;

    /// <inheritdoc/>
    public bool HonorsSoftLabels => true;

    /// <inheritdoc/>
    public ImplicitReward Reward => new(_options.Beta);

    /// <inheritdoc/>
    public void Compute(in PairBatch batch, Span<double> losses, in PairGradients gradients) => LossGuard.Compute(this, batch, losses, gradients);

    /// <summary>Returns the name and every option, the same in every culture.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(RefinementLoss)} {{ Beta = {_options.Beta}, TwoSided = {_options.TwoSided} }}");

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients)
    {
        Add(PairSequence.ChosenGivenRejected, PairSequence.RejectedGivenRejected, batch, weight, losses, gradients);
        if (_options.TwoSided)
        {
            // ((1/2 − p̂) − v(x, y_w, y_l))² is ((p̂ − 1/2) − β·h)² with h = LR(y_w|x, y_w, z) − LR(y_l|x, y_w, z): the first term's function of the other margin.
            Add(PairSequence.ChosenGivenChosen, PairSequence.RejectedGivenChosen, batch, weight, losses, gradients);
        }
    }

    void IMarginFunction.Evaluate(ReadOnlySpan<double> margins, ReadOnlySpan<double> labels, Span<double> values, Span<double> derivatives)
    {
        double beta = _options.Beta;
        TensorPrimitives.Multiply(margins, -beta, derivatives);
        if (labels.IsEmpty)
        {
            TensorPrimitives.Add(derivatives, 0.5, derivatives);
        }
        else
        {
            TensorPrimitives.Subtract(labels, 0.5, values);
            TensorPrimitives.Add(derivatives, values, derivatives);
        }

        TensorPrimitives.Multiply(derivatives, derivatives, values);
        TensorPrimitives.Multiply(derivatives, -2 * beta, derivatives);
    }

    private void Add(PairSequence better, PairSequence worse, in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients) =>
        MarginKernel.Accumulate(this, better, worse, reference: true, averaged: false, batch, weight, losses, gradients);
}
