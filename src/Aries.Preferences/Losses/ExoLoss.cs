using System.Globalization;
using System.Numerics.Tensors;

namespace Aries.Preferences;

/// <summary>Efficient Exact Optimization for pairs: the reverse Kullback-Leibler divergence between the policy's ranking and the smoothed label.</summary>
/// <remarks>
/// <para>Ji et al. 2024, <see href="https://arxiv.org/abs/2402.00856"/>, Eq. 16:</para>
/// <code>
/// h    = (log πθ(y_w|x) − log πref(y_w|x)) − (log πθ(y_l|x) − log πref(y_l|x))
/// loss = σ(β·h) · [log σ(β·h) − log(1 − ε)] + σ(−β·h) · [log σ(−β·h) − log ε]
/// ∂loss/∂h = β · σ(β·h) · σ(−β·h) · [β·h − log((1 − ε)/ε)]
/// </code>
/// <para>Log-probabilities are natural logs (nats), summed over the response's tokens, never averaged.</para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class ExoLoss : IPreferenceLoss, IAccumulatingLoss, IMarginFunction
{
    private readonly ExoLossOptions _options;

    /// <summary>Initializes a new instance of the <see cref="ExoLoss"/> class with the default options.</summary>
    public ExoLoss()
        : this(new ExoLossOptions())
    {
    }

    /// <summary>Initializes a new instance of the <see cref="ExoLoss"/> class.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public ExoLoss(ExoLossOptions options)
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
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(ExoLoss)} {{ Beta = {_options.Beta}, LabelSmoothing = {_options.LabelSmoothing} }}");

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients) =>
        MarginKernel.Accumulate(this, PairSequence.Chosen, PairSequence.Rejected, reference: true, averaged: false, batch, weight, losses, gradients);

    void IMarginFunction.Evaluate(ReadOnlySpan<double> margins, ReadOnlySpan<double> labels, Span<double> values, Span<double> derivatives)
    {
        double logRight = Math.Log(1 - _options.LabelSmoothing);
        double logWrong = Math.Log(_options.LabelSmoothing);
        Span<double> z = stackalloc double[MarginKernel.Block];
        z = z[..margins.Length];
        Span<double> right = stackalloc double[MarginKernel.Block];
        right = right[..margins.Length];
        TensorPrimitives.Multiply(margins, _options.Beta, z);
        StableMath.LogSigmoid(z, values);
        StableMath.SigmoidAndDerivative(z, right, derivatives);
        for (int i = 0; i < z.Length; i++)
        {
            // With log σ(−z) = log σ(z) − z, and σ(−z) taken from the derivative so that it does not cancel.
            double wrong = right[i] > 0.5 ? derivatives[i] / right[i] : 1 - right[i];
            double logSigmoid = values[i];
            values[i] = (right[i] * (logSigmoid - logRight)) + (wrong * (logSigmoid - z[i] - logWrong));
            derivatives[i] *= _options.Beta * (z[i] - logRight + logWrong);
        }
    }
}
