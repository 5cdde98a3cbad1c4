using System.Globalization;
using System.Numerics.Tensors;

namespace Aries.Preferences;

/// <summary>Noise Contrastive Alignment for pairs: raises the chosen response's likelihood in itself, not only against the rejected one's.</summary>
/// <remarks>
/// <para>Chen et al. 2024, <see href="https://arxiv.org/abs/2402.05369"/>, the NCA loss of Section 4 for two responses with a hard preference (TRL's <c>nca_pair</c>):</para>
/// <code>
/// r(y) = β · (log πθ(y|x) − log πref(y|x))
/// loss = −log σ(r(y_w)) − ½ · log σ(−r(y_w)) − ½ · log σ(−r(y_l))
/// </code>
/// <para>
/// Log-probabilities are natural logs (nats), summed over the response's tokens, never averaged.</para>
/// <para>Where policy and reference agree, the loss is 2 · log 2.
/// </para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class NcaLoss : IPreferenceLoss, IAccumulatingLoss, IRewardFunction
{
    private readonly NcaLossOptions _options;

    /// <summary>Initializes a new instance of the <see cref="NcaLoss"/> class with the default options.</summary>
    public NcaLoss()
        : this(new NcaLossOptions())
    {
    }

    /// <summary>Initializes a new instance of the <see cref="NcaLoss"/> class.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public NcaLoss(NcaLossOptions options)
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
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(NcaLoss)} {{ Beta = {_options.Beta} }}");

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients) =>
        RewardKernel.Accumulate(this, batch, weight, losses, gradients);

    void IRewardFunction.Evaluate(ReadOnlySpan<double> chosen, ReadOnlySpan<double> rejected, Span<double> values, Span<double> byChosen, Span<double> byRejected)
    {
        // With softplus(r) = softplus(−r) + r, the two terms of y_w are 1.5 · softplus(−r) + 0.5 · r; their slope is 0.5 − 1.5 · σ(−r).
        double beta = _options.Beta;
        Span<double> rejectedTerm = stackalloc double[MarginKernel.Block];
        rejectedTerm = rejectedTerm[..rejected.Length];
        TensorPrimitives.Multiply(rejected, beta, byRejected);
        StableMath.SoftplusAndSigmoid(byRejected, rejectedTerm, byRejected);
        Span<double> negated = stackalloc double[MarginKernel.Block];
        negated = negated[..chosen.Length];
        TensorPrimitives.Multiply(chosen, -beta, negated);
        StableMath.SoftplusAndSigmoid(negated, values, byChosen);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (1.5 * values[i]) - (0.5 * negated[i]) + (0.5 * rejectedTerm[i]);
            byChosen[i] = beta * (0.5 - (1.5 * byChosen[i]));
            byRejected[i] *= 0.5 * beta;
        }
    }
}
