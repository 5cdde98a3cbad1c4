namespace Aries;

/// <summary>Reward Model Scoring: the best-scored draft of a chain against its worst.</summary>
/// <remarks>
/// ARIES, <see href="https://arxiv.org/abs/2502.05605"/>, its first filter; best against worst is this project's reading of it. Among equal scores the latest draft is chosen and the earliest rejected.
/// Drafts without a score do not take part. Equal texts and equal scores give no pair.
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class RewardModelSelection : IPreferencePairSelector
{
    private readonly RewardModelSelectionOptions _options;

    /// <summary>Creates the selector.</summary>
    /// <param name="options">The options; null for the defaults. Copied.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public RewardModelSelection(RewardModelSelectionOptions? options = null)
    {
        options ??= new RewardModelSelectionOptions();
        options.Validate();
        _options = options with { };
    }

    /// <inheritdoc />
    public bool NeedsScores => true;

    /// <inheritdoc />
    public PairSelection SelectPairs(RefinementTrace trace)
    {
        ArgumentNullException.ThrowIfNull(trace);
        TraceStep[] drafts = [.. trace.Drafts];
        if (trace.StopReason == RefinementStopReason.Failed || drafts.Length < 2)
        {
            return PairScoring.Drop(PairDropReasons.TooFewDrafts);
        }

        TraceStep[] scored = [.. drafts.Where(draft => PairScoring.ScoreOf(draft) is not null)];
        if (scored.Length < 2)
        {
            return PairScoring.Drop(PairDropReasons.NotScored);
        }

        // MaxBy and MinBy keep the first among equals, so the best is looked for from the end.
        TraceStep chosen = scored.Reverse().MaxBy(PairScoring.ScoreOf)!;
        TraceStep rejected = scored.MinBy(PairScoring.ScoreOf)!;
        (double best, double worst) = (chosen.Score!.Value.Value, rejected.Score!.Value.Value);
        double margin = best - worst;
        if (chosen.Text == rejected.Text)
        {
            return PairScoring.Drop(PairDropReasons.Equal);
        }

        if (margin <= 0 || margin < _options.MinimumMargin)
        {
            return PairScoring.Drop(PairDropReasons.Margin);
        }

        PreferencePair pair = new()
        {
            Prompt = trace.Prompt,
            Chosen = chosen.Text,
            Rejected = rejected.Text,
            ChosenScore = best,
            RejectedScore = worst,
            ChosenProbability = PairScoring.LabelOf(margin, _options.SoftLabelTemperature),
            TraceId = trace.Id,
        };
        return new PairSelection([pair], []);
    }

    /// <summary>Returns the name and every setting that changes a pair.</summary>
    public override string ToString() => FormattableString.Invariant(
        $"{nameof(RewardModelSelection)} {{ MinimumMargin = {_options.MinimumMargin}, SoftLabelTemperature = {_options.SoftLabelTemperature?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "none"} }}");
}
