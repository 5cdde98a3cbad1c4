namespace Aries.Preferences;

/// <summary>Collects the metrics of one optimiser step over the batches that it accumulates, under TRL's names.</summary>
/// <remarks>
/// Every mean weighs pairs equally, so that one batch of 8 and 8 batches of 1 give the same numbers. A metric whose sequences were not scored is left out rather than reported as 0.
/// Rewards are Rafailov et al. 2023, <see href="https://arxiv.org/abs/2305.18290"/>, Eq. 5 without its partition function, scaled as <see cref="IPreferenceLoss.Reward"/> says.
/// </remarks>
/// <threadsafety>Not thread safe: one instance belongs to one training loop.</threadsafety>
public sealed class PreferenceMetrics
{
    private double _loss;
    private double _chosenReward;
    private double _rejectedReward;
    private double _chosenLogProbability;
    private double _rejectedLogProbability;
    private double _refinementMargin;
    private long _rightRewards;
    private long _rightRefinements;
    private long _chosenCount;
    private long _rejectedCount;
    private long _rewardCount;
    private long _refinementCount;

    /// <summary>Gets the number of pairs added since the last reset.</summary>
    public long PairCount { get; private set; }

    /// <summary>Gets or sets the policy's mean entropy over response tokens, in nats; null leaves it out.</summary>
    public double? Entropy { get; set; }

    /// <summary>Gets or sets the norm of the gradient before clipping; null leaves it out.</summary>
    public double? GradientNorm { get; set; }

    /// <summary>Gets or sets the tokens that the run has processed so far; null leaves it out.</summary>
    public long? TokenCount { get; set; }

    /// <summary>Adds a batch. Allocates nothing.</summary>
    /// <param name="batch">The pairs that <paramref name="loss"/> was computed on.</param>
    /// <param name="losses">What <see cref="IPreferenceLoss.Compute"/> gave. Shape [N].</param>
    /// <param name="loss">The loss; says what was scored and how rewards are scaled.</param>
    /// <exception cref="ArgumentNullException"><paramref name="loss"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="losses"/> has another length than the batch; or the batch lacks the reference or the lengths that the rewards need.</exception>
    public void Add(in PairBatch batch, ReadOnlySpan<double> losses, IPreferenceLoss loss)
    {
        ArgumentNullException.ThrowIfNull(loss);
        if (losses.Length != batch.Count)
        {
            throw new ArgumentException($"There are {losses.Length} losses and {batch.Count} pairs.", nameof(losses));
        }

        ImplicitReward reward = loss.Reward;
        if ((loss.NeedsReference && !batch.HasReference) || (reward.LengthAveraged && !batch.HasLengths))
        {
            throw new ArgumentException("The batch lacks the reference or the lengths that the loss needs.", nameof(batch));
        }

        PairCount += batch.Count;
        foreach (double value in losses)
        {
            _loss += value;
        }

        AddLogProbabilities(batch, PairSequence.Chosen, loss, ref _chosenLogProbability, ref _chosenCount);
        AddLogProbabilities(batch, PairSequence.Rejected, loss, ref _rejectedLogProbability, ref _rejectedCount);
        if ((loss.Sequences & PairSequences.Direct) == PairSequences.Direct)
        {
            AddRewards(batch, loss.NeedsReference, reward);
        }

        if (loss.NeedsReference)
        {
            AddRefinement(batch, loss.Sequences, PairSequence.ChosenGivenRejected, PairSequence.RejectedGivenRejected);
            AddRefinement(batch, loss.Sequences, PairSequence.ChosenGivenChosen, PairSequence.RejectedGivenChosen);
        }
    }

    /// <summary>Forgets everything, for the next optimiser step.</summary>
    public void Reset()
    {
        _loss = _chosenReward = _rejectedReward = _chosenLogProbability = _rejectedLogProbability = _refinementMargin = 0;
        _rightRewards = _rightRefinements = _chosenCount = _rejectedCount = _rewardCount = _refinementCount = 0;
        PairCount = 0;
        Entropy = null;
        GradientNorm = null;
        TokenCount = null;
    }

    /// <summary>Writes what was collected, by the names of <see cref="PreferenceMetricNames"/>.</summary>
    /// <param name="destination">Receives the metrics; entries under other names stay.</param>
    /// <exception cref="ArgumentNullException"><paramref name="destination"/> is null.</exception>
    public void CopyTo(IDictionary<string, double> destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        if (PairCount > 0)
        {
            destination[PreferenceMetricNames.Loss] = _loss / PairCount;
        }

        if (_rewardCount > 0)
        {
            destination[PreferenceMetricNames.ChosenRewards] = _chosenReward / _rewardCount;
            destination[PreferenceMetricNames.RejectedRewards] = _rejectedReward / _rewardCount;
            destination[PreferenceMetricNames.RewardMargins] = (_chosenReward - _rejectedReward) / _rewardCount;
            destination[PreferenceMetricNames.RewardAccuracies] = (double)_rightRewards / _rewardCount;
        }

        if (_chosenCount > 0)
        {
            destination[PreferenceMetricNames.ChosenLogProbabilities] = _chosenLogProbability / _chosenCount;
        }

        if (_rejectedCount > 0)
        {
            destination[PreferenceMetricNames.RejectedLogProbabilities] = _rejectedLogProbability / _rejectedCount;
        }

        if (_refinementCount > 0)
        {
            destination[PreferenceMetricNames.RefinementMargins] = _refinementMargin / _refinementCount;
            destination[PreferenceMetricNames.RefinementAccuracies] = (double)_rightRefinements / _refinementCount;
        }

        if (Entropy is { } entropy)
        {
            destination[PreferenceMetricNames.Entropy] = entropy;
        }

        if (GradientNorm is { } norm)
        {
            destination[PreferenceMetricNames.GradientNorm] = norm;
        }

        if (TokenCount is { } tokens)
        {
            destination[PreferenceMetricNames.TokenCount] = tokens;
        }
    }

    /// <summary>Returns what was collected, by the names of <see cref="PreferenceMetricNames"/>.</summary>
    /// <returns>A new dictionary in the order of the names.</returns>
    public Dictionary<string, double> ToDictionary()
    {
        Dictionary<string, double> result = [];
        CopyTo(result);
        return result;
    }

    private static void AddLogProbabilities(in PairBatch batch, PairSequence sequence, IPreferenceLoss loss, ref double sum, ref long count)
    {
        if (((int)loss.Sequences >> (int)sequence & 1) == 0)
        {
            return;
        }

        foreach (double value in batch.Policy(sequence))
        {
            sum += value;
        }

        count += batch.Count;
    }

    private void AddRewards(in PairBatch batch, bool reference, ImplicitReward reward)
    {
        for (int i = 0; i < batch.Count; i++)
        {
            double chosen = Reward(batch, PairSequence.Chosen, reference, reward, i);
            double rejected = Reward(batch, PairSequence.Rejected, reference, reward, i);
            _chosenReward += chosen;
            _rejectedReward += rejected;
            _rightRewards += chosen > rejected ? 1 : 0;
        }

        _rewardCount += batch.Count;
    }

    private static double Reward(in PairBatch batch, PairSequence sequence, bool reference, ImplicitReward reward, int pair)
    {
        double value = batch.Policy(sequence)[pair];
        if (reference)
        {
            value -= batch.Reference(sequence)[pair];
        }

        return reward.Beta * (reward.LengthAveraged ? value / batch.Lengths(sequence)[pair] : value);
    }

    private void AddRefinement(in PairBatch batch, PairSequences scored, PairSequence better, PairSequence worse)
    {
        PairSequences both = (PairSequences)((1 << (int)better) | (1 << (int)worse));
        if ((scored & both) != both)
        {
            return;
        }

        ImplicitReward unscaled = new(1);
        for (int i = 0; i < batch.Count; i++)
        {
            double margin = Reward(batch, better, reference: true, unscaled, i) - Reward(batch, worse, reference: true, unscaled, i);
            _refinementMargin += margin;
            _rightRefinements += margin > 0 ? 1 : 0;
        }

        _refinementCount += batch.Count;
    }
}
