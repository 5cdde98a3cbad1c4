using System.Globalization;
using System.Numerics.Tensors;

namespace Aries.Preferences;

/// <summary>Direct Preference Optimization: the negative log-likelihood that the policy ranks each pair as its label does.</summary>
/// <remarks>
/// <para>
/// Rafailov et al. 2023, <see href="https://arxiv.org/abs/2305.18290"/>, Eq. 7;
/// with ε &gt; 0, the conservative form of Mitchell 2023, <see href="https://ericmitchell.ai/cdpo.pdf"/>, Eq. 3:
/// </para>
/// <code>
/// h    = (log πθ(y_w|x) − log πref(y_w|x)) − (log πθ(y_l|x) − log πref(y_l|x))
/// q    = ε + (1 − 2ε) · (1 − p̂)
/// loss = −(1 − q) · log σ(β·h) − q · log σ(−β·h)
/// </code>
/// <para>
/// Log-probabilities are natural logs (nats), summed over the response's tokens, never averaged.</para>
/// <para>A soft label p̂ acts as an ε of 1 − p̂ for its pair; both together are the probability that the label, were it drawn and then flipped with probability ε, is wrong.
/// </para>
/// <para>Where policy and reference agree, the loss is log 2.</para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class DpoLoss : IPreferenceLoss, IAccumulatingLoss, IMarginFunction
{
    private readonly DpoLossOptions _options;

    /// <summary>Initializes a new instance of the <see cref="DpoLoss"/> class with the default options.</summary>
    public DpoLoss()
        : this(new DpoLossOptions())
    {
    }

    /// <summary>Initializes a new instance of the <see cref="DpoLoss"/> class.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public DpoLoss(DpoLossOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options with { };
    }

    /// <inheritdoc/>
    public PairSequences Sequences => PairSequences.Direct;

    /// <inheritdoc/>
    public bool NeedsReference => true;

    /// <inheritdoc/>
    public bool HonorsSoftLabels => true;

    /// <inheritdoc/>
    public ImplicitReward Reward => new(_options.Beta);

    /// <inheritdoc/>
    public void Compute(in PairBatch batch, Span<double> losses, in PairGradients gradients) => LossGuard.Compute(this, batch, losses, gradients);

    /// <summary>Returns the name and every option, the same in every culture.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(DpoLoss)} {{ Beta = {_options.Beta}, LabelSmoothing = {_options.LabelSmoothing} }}");

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients) =>
        MarginKernel.Accumulate(this, PairSequence.Chosen, PairSequence.Rejected, reference: true, averaged: false, batch, weight, losses, gradients);

    void IMarginFunction.Evaluate(ReadOnlySpan<double> margins, ReadOnlySpan<double> labels, Span<double> values, Span<double> derivatives)
    {
        // log σ(z) is written as −softplus(−z); since softplus(z) = softplus(−z) + z, Eq. 3 is softplus(−z) + q·z.
        TensorPrimitives.Multiply(margins, -_options.Beta, derivatives);
        if (labels.IsEmpty && _options.LabelSmoothing == 0)
        {
            StableMath.SoftplusAndSigmoid(derivatives, values, derivatives);
            TensorPrimitives.Multiply(derivatives, -_options.Beta, derivatives);
            return;
        }

        Span<double> flips = stackalloc double[MarginKernel.Block];
        flips = flips[..margins.Length];
        Flips(labels, flips);
        TensorPrimitives.Multiply(flips, derivatives, values);
        TensorPrimitives.Negate(values, values);
        Span<double> softplus = stackalloc double[MarginKernel.Block];
        softplus = softplus[..margins.Length];
        StableMath.SoftplusAndSigmoid(derivatives, softplus, derivatives);
        TensorPrimitives.Add(values, softplus, values);
        TensorPrimitives.Subtract(derivatives, flips, derivatives);
        TensorPrimitives.Multiply(derivatives, -_options.Beta, derivatives);
    }

    private void Flips(ReadOnlySpan<double> labels, Span<double> flips)
    {
        double smoothing = _options.LabelSmoothing;
        if (labels.IsEmpty)
        {
            flips.Fill(smoothing);
            return;
        }

        TensorPrimitives.Subtract(1.0, labels, flips);
        TensorPrimitives.Multiply(flips, 1 - (2 * smoothing), flips);
        TensorPrimitives.Add(flips, smoothing, flips);
    }
}
