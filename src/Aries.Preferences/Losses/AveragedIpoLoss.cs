using System.Globalization;
using System.Numerics.Tensors;

namespace Aries.Preferences;

/// <summary>Identity Preference Optimization on log-probabilities averaged over tokens.</summary>
/// <remarks>
/// <para>Azar et al. 2023, <see href="https://arxiv.org/abs/2310.12036"/>, Eq. 17, with β for τ, on averages as TRL has it, whose source says that the paper's authors confirmed them:</para>
/// <code>
/// h    = (log πθ(y_w|x) − log πref(y_w|x)) / |y_w| − (log πθ(y_l|x) − log πref(y_l|x)) / |y_l|
/// loss = (h − 1/(2β))²
/// </code>
/// <para>Log-probabilities come in summed (nats) and are divided by the response's tokens here: the batch must hold lengths, each at least 1.</para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class AveragedIpoLoss : IPreferenceLoss, IAccumulatingLoss, IMarginFunction
{
    private readonly IpoLossOptions _options;

    /// <summary>Initializes a new instance of the <see cref="AveragedIpoLoss"/> class with the default options.</summary>
    public AveragedIpoLoss()
        : this(new IpoLossOptions())
    {
    }

    /// <summary>Initializes a new instance of the <see cref="AveragedIpoLoss"/> class.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public AveragedIpoLoss(IpoLossOptions options)
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
    public ImplicitReward Reward => new(_options.Beta, LengthAveraged: true);

    PairSequences IAccumulatingLoss.AveragedSequences => PairSequences.Direct;

    /// <inheritdoc/>
    public void Compute(in PairBatch batch, Span<double> losses, in PairGradients gradients) => LossGuard.Compute(this, batch, losses, gradients);

    /// <summary>Returns the name and every option, the same in every culture.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(AveragedIpoLoss)} {{ Beta = {_options.Beta} }}");

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients) =>
        MarginKernel.Accumulate(this, PairSequence.Chosen, PairSequence.Rejected, reference: true, averaged: true, batch, weight, losses, gradients);

    void IMarginFunction.Evaluate(ReadOnlySpan<double> margins, ReadOnlySpan<double> labels, Span<double> values, Span<double> derivatives)
    {
        TensorPrimitives.Subtract(margins, 1 / (2 * _options.Beta), derivatives);
        TensorPrimitives.Multiply(derivatives, derivatives, values);
        TensorPrimitives.Add(derivatives, derivatives, derivatives);
    }
}
