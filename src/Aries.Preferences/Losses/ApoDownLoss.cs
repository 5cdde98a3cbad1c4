using System.Globalization;
using System.Numerics.Tensors;

namespace Aries.Preferences;

/// <summary>Anchored Preference Optimization, down: lowers both responses, the rejected one more, for pairs whose chosen response is worse than what the policy writes.</summary>
/// <remarks>
/// <para>D'Oosterlinck et al. 2024, <see href="https://arxiv.org/abs/2408.06266"/>, Eq. 8:</para>
/// <code>
/// r(y) = β · (log πθ(y|x) − log πref(y|x))
/// loss = σ(r(y_w)) − σ(r(y_w) − r(y_l)) + 1
/// </code>
/// <para>
/// Log-probabilities are natural logs (nats), summed over the response's tokens, never averaged.</para>
/// <para>The constant 1, as in TRL, keeps the loss from being negative.
/// </para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class ApoDownLoss : IPreferenceLoss, IAccumulatingLoss, IRewardFunction
{
    private readonly ApoLossOptions _options;

    /// <summary>Initializes a new instance of the <see cref="ApoDownLoss"/> class with the default options.</summary>
    public ApoDownLoss()
        : this(new ApoLossOptions())
    {
    }

    /// <summary>Initializes a new instance of the <see cref="ApoDownLoss"/> class.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public ApoDownLoss(ApoLossOptions options)
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
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(ApoDownLoss)} {{ Beta = {_options.Beta} }}");

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients) =>
        RewardKernel.Accumulate(this, batch, weight, losses, gradients);

    void IRewardFunction.Evaluate(ReadOnlySpan<double> chosen, ReadOnlySpan<double> rejected, Span<double> values, Span<double> byChosen, Span<double> byRejected)
    {
        double beta = _options.Beta;
        TensorPrimitives.Multiply(chosen, beta, byChosen);
        StableMath.SigmoidAndDerivative(byChosen, values, byChosen);
        Span<double> marginTerm = stackalloc double[MarginKernel.Block];
        marginTerm = marginTerm[..chosen.Length];
        TensorPrimitives.Subtract(rejected, chosen, byRejected);
        TensorPrimitives.Multiply(byRejected, beta, byRejected);
        StableMath.SigmoidAndDerivative(byRejected, marginTerm, byRejected);
        TensorPrimitives.Add(values, marginTerm, values);
        TensorPrimitives.Subtract(byChosen, byRejected, byChosen);
        TensorPrimitives.Multiply(byChosen, beta, byChosen);
        TensorPrimitives.Multiply(byRejected, beta, byRejected);
    }
}
