using System.Globalization;

namespace Aries.Preferences;

/// <summary>The hinge loss on DPO's margin: a pair whose margin has reached 1/β costs nothing.</summary>
/// <remarks>
/// <para>
/// Zhao et al. 2023 (SLiC-HF), <see href="https://arxiv.org/abs/2305.10425"/>, the rank-calibration term, on the normalised log-ratios of Liu et al. 2023 (RSO),
/// <see href="https://arxiv.org/abs/2309.06657"/>, the loss called hinge-norm there:
/// </para>
/// <code>
/// h    = (log πθ(y_w|x) − log πref(y_w|x)) − (log πθ(y_l|x) − log πref(y_l|x))
/// loss = max(0, 1 − β·h)
/// </code>
/// <para>
/// Log-probabilities are natural logs (nats), summed over the response's tokens, never averaged.</para>
/// <para>At the kink, β·h = 1, the derivative is 0.
/// </para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class HingeLoss : IPreferenceLoss, IAccumulatingLoss, IMarginFunction
{
    private readonly HingeLossOptions _options;

    /// <summary>Initializes a new instance of the <see cref="HingeLoss"/> class with the default options.</summary>
    public HingeLoss()
        : this(new HingeLossOptions())
    {
    }

    /// <summary>Initializes a new instance of the <see cref="HingeLoss"/> class.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public HingeLoss(HingeLossOptions options)
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
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(HingeLoss)} {{ Beta = {_options.Beta} }}");

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients) =>
        MarginKernel.Accumulate(this, PairSequence.Chosen, PairSequence.Rejected, reference: true, averaged: false, batch, weight, losses, gradients);

    void IMarginFunction.Evaluate(ReadOnlySpan<double> margins, ReadOnlySpan<double> labels, Span<double> values, Span<double> derivatives)
    {
        double beta = _options.Beta;
        for (int i = 0; i < margins.Length; i++)
        {
            double shortfall = 1 - (beta * margins[i]);
            values[i] = Math.Max(0, shortfall);
            derivatives[i] = shortfall > 0 ? -beta : 0;
        }
    }
}
