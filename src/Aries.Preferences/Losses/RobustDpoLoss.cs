using System.Globalization;
using System.Numerics.Tensors;

namespace Aries.Preferences;

/// <summary>Robust DPO: an unbiased estimate of the DPO loss when labels are flipped at a known rate.</summary>
/// <remarks>
/// <para>Ray Chowdhury, Kini and Natarajan 2024, <see href="https://arxiv.org/abs/2403.00409"/>, the de-biased loss of Section 3 (TRL's <c>robust</c>):</para>
/// <code>
/// h    = (log πθ(y_w|x) − log πref(y_w|x)) − (log πθ(y_l|x) − log πref(y_l|x))
/// loss = [−(1 − ε) · log σ(β·h) + ε · log σ(−β·h)] / (1 − 2ε)
///      = −log σ(β·h) − ε·β·h / (1 − 2ε)
/// </code>
/// <para>
/// Log-probabilities are natural logs (nats), summed over the response's tokens, never averaged.</para>
/// <para>The loss has no lower bound: it may be negative. Labels are hard; the flip rate is an option of the whole set.
/// </para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class RobustDpoLoss : IPreferenceLoss, IAccumulatingLoss, IMarginFunction
{
    private readonly RobustDpoLossOptions _options;

    /// <summary>Initializes a new instance of the <see cref="RobustDpoLoss"/> class with the default options.</summary>
    public RobustDpoLoss()
        : this(new RobustDpoLossOptions())
    {
    }

    /// <summary>Initializes a new instance of the <see cref="RobustDpoLoss"/> class.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public RobustDpoLoss(RobustDpoLossOptions options)
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
    public ImplicitReward Reward => new(_options.Beta);

    /// <inheritdoc/>
    public void Compute(in PairBatch batch, Span<double> losses, in PairGradients gradients) => LossGuard.Compute(this, batch, losses, gradients);

    /// <summary>Returns the name and every option, the same in every culture.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(RobustDpoLoss)} {{ Beta = {_options.Beta}, LabelSmoothing = {_options.LabelSmoothing} }}");

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients) =>
        MarginKernel.Accumulate(this, PairSequence.Chosen, PairSequence.Rejected, reference: true, averaged: false, batch, weight, losses, gradients);

    void IMarginFunction.Evaluate(ReadOnlySpan<double> margins, ReadOnlySpan<double> labels, Span<double> values, Span<double> derivatives)
    {
        double slope = _options.LabelSmoothing / (1 - (2 * _options.LabelSmoothing));
        Span<double> linear = stackalloc double[MarginKernel.Block];
        linear = linear[..margins.Length];
        TensorPrimitives.Multiply(margins, -_options.Beta, derivatives);
        TensorPrimitives.Multiply(derivatives, slope, linear);
        StableMath.SoftplusAndSigmoid(derivatives, values, derivatives);
        TensorPrimitives.Add(values, linear, values);
        TensorPrimitives.Add(derivatives, slope, derivatives);
        TensorPrimitives.Multiply(derivatives, -_options.Beta, derivatives);
    }
}
