using System.Globalization;
using System.Numerics.Tensors;

namespace Aries.Preferences;

/// <summary>Simple Preference Optimization: a logistic loss on averaged log-probabilities with a target margin and no reference.</summary>
/// <remarks>
/// <para>Meng, Xia and Chen 2024, <see href="https://arxiv.org/abs/2405.14734"/>, Eq. 6:</para>
/// <code>
/// h    = log πθ(y_w|x) / |y_w| − log πθ(y_l|x) / |y_l|
/// loss = −log σ(β·h − γ),   γ = β · (γ/β)
/// </code>
/// <para>Log-probabilities come in summed (nats) and are divided by the response's tokens here: the batch must hold lengths, each at least 1.</para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class SimPoLoss : IPreferenceLoss, IAccumulatingLoss, IMarginFunction
{
    private readonly SimPoLossOptions _options;

    /// <summary>Initializes a new instance of the <see cref="SimPoLoss"/> class with the default options.</summary>
    public SimPoLoss()
        : this(new SimPoLossOptions())
    {
    }

    /// <summary>Initializes a new instance of the <see cref="SimPoLoss"/> class.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public SimPoLoss(SimPoLossOptions options)
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
    public ImplicitReward Reward => new(_options.Beta, LengthAveraged: true);

    PairSequences IAccumulatingLoss.AveragedSequences => PairSequences.Direct;

    /// <inheritdoc/>
    public void Compute(in PairBatch batch, Span<double> losses, in PairGradients gradients) => LossGuard.Compute(this, batch, losses, gradients);

    /// <summary>Returns the name and every option, the same in every culture.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(SimPoLoss)} {{ Beta = {_options.Beta}, GammaBetaRatio = {_options.GammaBetaRatio} }}");

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients) =>
        MarginKernel.Accumulate(this, PairSequence.Chosen, PairSequence.Rejected, reference: false, averaged: true, batch, weight, losses, gradients);

    void IMarginFunction.Evaluate(ReadOnlySpan<double> margins, ReadOnlySpan<double> labels, Span<double> values, Span<double> derivatives)
    {
        TensorPrimitives.Subtract(margins, _options.GammaBetaRatio, derivatives);
        TensorPrimitives.Multiply(derivatives, -_options.Beta, derivatives);
        StableMath.SoftplusAndSigmoid(derivatives, values, derivatives);
        TensorPrimitives.Multiply(derivatives, -_options.Beta, derivatives);
    }
}
