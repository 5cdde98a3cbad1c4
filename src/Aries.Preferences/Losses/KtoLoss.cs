using System.Globalization;

namespace Aries.Preferences;

/// <summary>Kahneman-Tversky Optimization: each response is judged on its own against a reference point, as desirable or undesirable.</summary>
/// <remarks>
/// <para>Ethayarajh et al. 2024, <see href="https://arxiv.org/abs/2402.01306"/>, the default loss (Eq. 7 in the first version, Eq. 8 in later ones):</para>
/// <code>
/// r(y) = log πθ(y|x) − log πref(y|x)
/// z0   = max(0, mean of r over mismatched responses), a constant to the gradient
/// loss = λ_D · (1 − σ(β · (r(y) − z0)))   for a desirable y
///        λ_U · (1 − σ(β · (z0 − r(y))))   for an undesirable y
/// </code>
/// <para>
/// Over pairs (<see cref="Compute(in PairBatch, Span{double}, in PairGradients)"/>) the chosen response is the desirable one, the rejected one the undesirable one, and a pair's loss is the mean of
/// the two, so that the mean over pairs is the mean over examples. z0 is estimated from the <see cref="PairSequence.Mismatched"/> row of this batch: with gradient accumulation every part has
/// its own estimate, as in the paper, and the parts do not add up exactly to what one large batch gives. Data that is not paired uses the other overload.
/// </para>
/// <para>Log-probabilities are natural logs (nats), summed over the response's tokens, never averaged.</para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class KtoLoss : IPreferenceLoss, IAccumulatingLoss
{
    private readonly KtoLossOptions _options;

    /// <summary>Initializes a new instance of the <see cref="KtoLoss"/> class with the default options.</summary>
    public KtoLoss()
        : this(new KtoLossOptions())
    {
    }

    /// <summary>Initializes a new instance of the <see cref="KtoLoss"/> class.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public KtoLoss(KtoLossOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options with { };
    }

    /// <inheritdoc/>
    public PairSequences Sequences => PairSequences.Direct | PairSequences.Mismatched;

    /// <inheritdoc/>
    public bool NeedsReference => true;

    /// <inheritdoc/>
    public ImplicitReward Reward => new(_options.Beta);

    /// <summary>Estimates the reference point z0 from responses scored after prompts that are not theirs.</summary>
    /// <param name="policy">log πθ of the mismatched responses, in nats; finite. Shape [M], M at least 1.</param>
    /// <param name="reference">log πref of the same responses, in nats; finite. Shape [M].</param>
    /// <returns>max(0, mean(policy − reference)), in nats.</returns>
    /// <exception cref="ArgumentException">The spans differ in length, are empty, or hold NaN or an infinity.</exception>
    public static double ReferencePoint(ReadOnlySpan<double> policy, ReadOnlySpan<double> reference)
    {
        if (policy.Length != reference.Length || policy.IsEmpty)
        {
            throw new ArgumentException($"There are {policy.Length} log-probabilities of the policy and {reference.Length} of the reference; pass as many of each, and at least one.", nameof(reference));
        }

        LossGuard.CheckFinite(policy, "policy", null);
        LossGuard.CheckFinite(reference, "reference", null);
        double sum = 0;
        for (int i = 0; i < policy.Length; i++)
        {
            sum += policy[i] - reference[i];
        }

        return Math.Max(0, sum / policy.Length);
    }

    /// <inheritdoc/>
    public void Compute(in PairBatch batch, Span<double> losses, in PairGradients gradients) => LossGuard.Compute(this, batch, losses, gradients);

    /// <summary>Returns the name and every option, the same in every culture.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(KtoLoss)} {{ Beta = {_options.Beta}, DesirableWeight = {_options.DesirableWeight}, UndesirableWeight = {_options.UndesirableWeight} }}");

    /// <summary>Computes the loss of each unpaired example and its derivative with respect to the example's summed log-probability.</summary>
    /// <param name="policy">log πθ of each response, in nats. Shape [N].</param>
    /// <param name="reference">log πref of each response, in nats. Shape [N].</param>
    /// <param name="desirable">Whether each response is desirable. Shape [N].</param>
    /// <param name="referencePoint">z0, in nats; finite and at least 0. See <see cref="ReferencePoint"/>.</param>
    /// <param name="losses">Receives the loss of each example; not divided by N. Shape [N].</param>
    /// <param name="gradients">Receives ∂losses[i]/∂policy[i]; not divided by N. Shape [N].</param>
    /// <exception cref="ArgumentException">The spans differ in length, the outputs overlap each other or the inputs, or a log-probability is NaN or infinite.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="referencePoint"/> is negative, NaN or infinite.</exception>
    public void Compute(
        ReadOnlySpan<double> policy,
        ReadOnlySpan<double> reference,
        ReadOnlySpan<bool> desirable,
        double referencePoint,
        Span<double> losses,
        Span<double> gradients)
    {
        int count = policy.Length;
        if (reference.Length != count || desirable.Length != count || losses.Length != count || gradients.Length != count)
        {
            throw new ArgumentException(
                $"The spans differ in length: policy {count}, reference {reference.Length}, desirable {desirable.Length}, losses {losses.Length}, gradients {gradients.Length}.", nameof(policy));
        }

        if (losses.Overlaps(gradients) || losses.Overlaps(policy) || losses.Overlaps(reference) || gradients.Overlaps(policy) || gradients.Overlaps(reference))
        {
            throw new ArgumentException("The outputs overlap each other or the inputs.", nameof(losses));
        }

        if (!(referencePoint >= 0 && double.IsFinite(referencePoint)))
        {
            throw new ArgumentOutOfRangeException(nameof(referencePoint), referencePoint, "The reference point must be finite and at least 0.");
        }

        LossGuard.CheckFinite(policy, "policy", null);
        LossGuard.CheckFinite(reference, "reference", null);
        for (int i = 0; i < count; i++)
        {
            losses[i] = Value(policy[i] - reference[i], desirable[i], referencePoint, out gradients[i]);
        }
    }

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients)
    {
        if (batch.Count == 0)
        {
            return;
        }

        double referencePoint = ReferencePoint(batch.Policy(PairSequence.Mismatched), batch.Reference(PairSequence.Mismatched));
        Add(PairSequence.Chosen, desirable: true, referencePoint, batch, weight / 2, losses, gradients);
        Add(PairSequence.Rejected, desirable: false, referencePoint, batch, weight / 2, losses, gradients);
    }

    private void Add(PairSequence sequence, bool desirable, double referencePoint, in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients)
    {
        ReadOnlySpan<double> policy = batch.Policy(sequence);
        ReadOnlySpan<double> reference = batch.Reference(sequence);
        Span<double> row = gradients.Row(sequence);
        for (int i = 0; i < losses.Length; i++)
        {
            losses[i] += weight * Value(policy[i] - reference[i], desirable, referencePoint, out double slope);
            row[i] += weight * slope;
        }
    }

    // 1 − σ(u) is σ(−u); with u = ±β·(r − z0) its slope in r is ∓β·σ(u)·σ(−u).
    private double Value(double logRatio, bool desirable, double referencePoint, out double slope)
    {
        double sign = desirable ? 1 : -1;
        double weight = desirable ? _options.DesirableWeight : _options.UndesirableWeight;
        double u = sign * _options.Beta * (logRatio - referencePoint);
        double miss = StableMath.Sigmoid(-u);
        slope = -sign * _options.Beta * weight * miss * StableMath.Sigmoid(u);
        return weight * miss;
    }
}
