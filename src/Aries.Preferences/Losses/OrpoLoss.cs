using System.Globalization;

namespace Aries.Preferences;

/// <summary>Odds Ratio Preference Optimization: the chosen response's negative log-likelihood and a logistic loss on the ratio of odds, with no reference.</summary>
/// <remarks>
/// <para>Hong, Lee and Thorne 2024, <see href="https://arxiv.org/abs/2403.07691"/>, Eqs. 4, 6 and 7:</para>
/// <code>
/// a(y)        = log πθ(y|x) / |y|
/// log odds(y) = a(y) − log(1 − exp a(y))
/// loss        = NLL(y_w|x) − λ · log σ(log odds(y_w) − log odds(y_l))
/// </code>
/// <para>
/// Log-probabilities come in summed (nats) and are divided by the response's tokens here: the batch must hold lengths, each at least 1. NLL is the mean over the tokens of all chosen responses of
/// the optimiser batch (<see cref="LossNormalization.TokenMean"/>), response tokens only; TRL counts the prompt's tokens too.
/// </para>
/// <para>The odds of a certain response are infinite: a(y) is taken to be at most −1e-6, and its slope there is that at −1e-6.</para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class OrpoLoss : IPreferenceLoss, IAccumulatingLoss
{
    private const double LargestAverage = -1e-6;

    private readonly OrpoLossOptions _options;

    /// <summary>Initializes a new instance of the <see cref="OrpoLoss"/> class with the default options.</summary>
    public OrpoLoss()
        : this(new OrpoLossOptions())
    {
    }

    /// <summary>Initializes a new instance of the <see cref="OrpoLoss"/> class.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public OrpoLoss(OrpoLossOptions options)
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
    public ImplicitReward Reward => new(_options.Lambda, LengthAveraged: true);

    PairSequences IAccumulatingLoss.AveragedSequences => PairSequences.Direct;

    bool IAccumulatingLoss.NeedsChosenTokenCount => true;

    /// <inheritdoc/>
    public void Compute(in PairBatch batch, Span<double> losses, in PairGradients gradients) => LossGuard.Compute(this, batch, losses, gradients);

    /// <summary>Returns the name and every option, the same in every culture.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{nameof(OrpoLoss)} {{ Lambda = {_options.Lambda} }}");

    void IAccumulatingLoss.Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients)
    {
        LikelihoodKernel.Accumulate(PairSequence.Chosen, LossNormalization.TokenMean, batch, weight, losses, gradients);

        ReadOnlySpan<double> chosen = batch.Policy(PairSequence.Chosen);
        ReadOnlySpan<double> rejected = batch.Policy(PairSequence.Rejected);
        ReadOnlySpan<int> chosenLengths = batch.Lengths(PairSequence.Chosen);
        ReadOnlySpan<int> rejectedLengths = batch.Lengths(PairSequence.Rejected);
        Span<double> byChosen = gradients.Row(PairSequence.Chosen);
        Span<double> byRejected = gradients.Row(PairSequence.Rejected);
        double scale = weight * _options.Lambda;
        for (int i = 0; i < losses.Length; i++)
        {
            double chosenLogOdds = LogOdds(chosen[i] / chosenLengths[i], out double chosenSlope);
            double rejectedLogOdds = LogOdds(rejected[i] / rejectedLengths[i], out double rejectedSlope);
            double logRatio = chosenLogOdds - rejectedLogOdds;
            double pull = scale * StableMath.Sigmoid(-logRatio);
            losses[i] += scale * StableMath.Softplus(-logRatio);
            byChosen[i] -= pull * chosenSlope / chosenLengths[i];
            byRejected[i] += pull * rejectedSlope / rejectedLengths[i];
        }
    }

    // log odds = a − log(1 − e^a); its slope is 1 / (1 − e^a).
    private static double LogOdds(double average, out double slope)
    {
        double a = Math.Min(average, LargestAverage);
        double complement = OneMinusExp(a);
        slope = 1 / complement;
        return a - Math.Log(complement);
    }

    // 1 − e^a for a < 0 without cancellation near 0: (1 − u) · a / log u with u = e^a rounded (Kahan).
    private static double OneMinusExp(double a)
    {
        double u = Math.Exp(a);
        return u == 0 ? 1 : (1 - u) * (a / Math.Log(u));
    }
}
