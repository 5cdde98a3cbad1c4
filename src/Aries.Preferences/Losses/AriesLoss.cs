using System.Globalization;

namespace Aries.Preferences;

/// <summary>The preference loss of ARIES: DPO on direct answers and the refinement loss on refined ones, over the same pairs.</summary>
/// <remarks>
/// <para>
/// The refinement term is derived from ARIES 2025, <see href="https://arxiv.org/abs/2502.05605"/>, Eq. 5; DPO is Rafailov et al. 2023, <see href="https://arxiv.org/abs/2305.18290"/>, Eq. 7. The convex
/// combination is the form of Sherlock, <see href="https://arxiv.org/abs/2505.22651"/>, which extends ARIES; its weight is an option:
/// </para>
/// <code>
/// loss = (1 − α) · DPO(β_dpo) + α · refinement(β_refine)
/// </code>
/// <para>The terms are <see cref="DpoLoss"/> and <see cref="RefinementLoss"/>. At α = 0 the loss is DPO bit for bit.</para>
/// <para>Log-probabilities are natural logs (nats), summed over the response's tokens, never averaged. Soft labels p̂ reach both terms.</para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class AriesLoss : IPreferenceLoss, IAccumulatingLoss
{
    private readonly double _alpha;
    private readonly DpoLoss _direct;
    private readonly RefinementLoss _refinement;

    /// <summary>Initializes a new instance of the <see cref="AriesLoss"/> class with the default options.</summary>
    public AriesLoss()
        : this(new AriesLossOptions())
    {
    }

    /// <summary>Initializes a new instance of the <see cref="AriesLoss"/> class.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public AriesLoss(AriesLossOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _alpha = options.Alpha;
        _direct = new DpoLoss(new DpoLossOptions { Beta = options.DpoBeta });
        _refinement = new RefinementLoss(new RefinementLossOptions { Beta = options.RefinementBeta, TwoSided = options.TwoSided });
    }

    /// <inheritdoc/>
    public PairSequences Sequences =>
        (_alpha < 1 ? _direct.Sequences : PairSequences.None) | (_alpha > 0 ? _refinement.Sequences : PairSequences.None);

    /// <inheritdoc/>
    public bool NeedsReference => true;

    /// <inheritdoc/>
    public bool HonorsSoftLabels => true;

    /// <inheritdoc/>
    public ImplicitReward Reward => _alpha < 1 ? _direct.Reward : _refinement.Reward;

    /// <inheritdoc/>
    public void Compute(in PairBatch batch, Span<double> losses, in PairGradients gradients) => LossGuard.Compute(this, batch, losses, gradients);

    /// <summary>Returns the name and every option, the same in every culture.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(AriesLoss)} {{ Alpha = {_alpha}, Direct = {_direct}, Refinement = {_refinement} }}");

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients)
    {
        if (_alpha < 1)
        {
            ((IAccumulatingLoss)_direct).Accumulate(batch, weight * (1 - _alpha), losses, gradients);
        }

        if (_alpha > 0)
        {
            ((IAccumulatingLoss)_refinement).Accumulate(batch, weight * _alpha, losses, gradients);
        }
    }
}
