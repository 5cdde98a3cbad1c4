using System.Globalization;
using System.Numerics.Tensors;

namespace Aries.Preferences;

/// <summary>DiscoPOP, the log-ratio modulated loss that a language model discovered: logistic where a pair is ranked wrong, exponential where it is ranked right.</summary>
/// <remarks>
/// <para>Lu et al. 2024, <see href="https://arxiv.org/abs/2406.08414"/>, Eq. 5:</para>
/// <code>
/// h    = (log πθ(y_w|x) − log πref(y_w|x)) − (log πθ(y_l|x) − log πref(y_l|x))
/// m    = σ(β·h/τ)
/// loss = (1 − m) · (−log σ(β·h)) + m · exp(−β·h)
/// </code>
/// <para>
/// Log-probabilities are natural logs (nats), summed over the response's tokens, never averaged.</para>
/// <para>m · exp(−β·h) is computed as exp(log σ(β·h/τ) − β·h), which stays finite where a pair is ranked far wrong. The loss is not convex, and not monotone near β·h = 0.
/// </para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class DiscoPopLoss : IPreferenceLoss, IAccumulatingLoss, IMarginFunction
{
    private readonly DiscoPopLossOptions _options;

    /// <summary>Initializes a new instance of the <see cref="DiscoPopLoss"/> class with the default options.</summary>
    public DiscoPopLoss()
        : this(new DiscoPopLossOptions())
    {
    }

    /// <summary>Initializes a new instance of the <see cref="DiscoPopLoss"/> class.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public DiscoPopLoss(DiscoPopLossOptions options)
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
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(DiscoPopLoss)} {{ Beta = {_options.Beta}, Tau = {_options.Tau} }}");

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients) =>
        MarginKernel.Accumulate(this, PairSequence.Chosen, PairSequence.Rejected, reference: true, averaged: false, batch, weight, losses, gradients);

    void IMarginFunction.Evaluate(ReadOnlySpan<double> margins, ReadOnlySpan<double> labels, Span<double> values, Span<double> derivatives)
    {
        double tau = _options.Tau;
        Span<double> z = stackalloc double[MarginKernel.Block];
        z = z[..margins.Length];
        Span<double> exponential = stackalloc double[MarginKernel.Block];
        exponential = exponential[..margins.Length];
        Span<double> unblended = stackalloc double[MarginKernel.Block];
        unblended = unblended[..margins.Length];
        Span<double> blendSlope = stackalloc double[MarginKernel.Block];
        blendSlope = blendSlope[..margins.Length];

        TensorPrimitives.Multiply(margins, _options.Beta, z);
        TensorPrimitives.Divide(z, tau, exponential);
        TensorPrimitives.Negate(exponential, unblended);
        StableMath.SigmoidAndDerivative(unblended, unblended, blendSlope);
        StableMath.LogSigmoid(exponential, exponential);
        TensorPrimitives.Subtract(exponential, z, exponential);
        StableMath.Exp(exponential, exponential);

        TensorPrimitives.Negate(z, derivatives);
        StableMath.SoftplusAndSigmoid(derivatives, values, derivatives);
        for (int i = 0; i < z.Length; i++)
        {
            double logistic = values[i];
            values[i] = (logistic * unblended[i]) + exponential[i];
            derivatives[i] = _options.Beta
                * ((exponential[i] * ((unblended[i] / tau) - 1)) - (derivatives[i] * unblended[i]) - (logistic * blendSlope[i] / tau));
        }
    }
}
