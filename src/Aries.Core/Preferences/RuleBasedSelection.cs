namespace Aries;

/// <summary>Rule-Based Selection: the last draft of a chain is chosen, the first rejected, whatever a scorer would say.</summary>
/// <remarks>
/// ARIES, <see href="https://arxiv.org/abs/2502.05605"/>, its second filter; last against first is this project's reading of it. It claims that every chain improved its answer: measure the accuracy of its pairs
/// against a true reward where there is one. Equal texts give no pair.
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed class RuleBasedSelection : IPreferencePairSelector
{
    private readonly bool _requireAgreement;

    /// <summary>Creates the selector.</summary>
    /// <param name="requireAgreement">Whether a pair is kept only where a scorer gives the last draft a higher score than the first. The default is false: scores are not needed.</param>
    public RuleBasedSelection(bool requireAgreement = false) => _requireAgreement = requireAgreement;

    /// <inheritdoc />
    public bool NeedsScores => _requireAgreement;

    /// <inheritdoc />
    public PairSelection SelectPairs(RefinementTrace trace)
    {
        ArgumentNullException.ThrowIfNull(trace);
        TraceStep[] drafts = [.. trace.Drafts];
        if (trace.StopReason == RefinementStopReason.Failed || drafts.Length < 2)
        {
            return PairScoring.Drop(PairDropReasons.TooFewDrafts);
        }

        (TraceStep chosen, TraceStep rejected) = (drafts[^1], drafts[0]);
        (double? chosenScore, double? rejectedScore) = (PairScoring.ScoreOf(chosen), PairScoring.ScoreOf(rejected));
        if (chosen.Text == rejected.Text)
        {
            return PairScoring.Drop(PairDropReasons.Equal);
        }

        if (_requireAgreement && !(chosenScore > rejectedScore))
        {
            return PairScoring.Drop(chosenScore is null || rejectedScore is null ? PairDropReasons.NotScored : PairDropReasons.Disagreement);
        }

        PreferencePair pair = new()
        {
            Prompt = trace.Prompt,
            Chosen = chosen.Text,
            Rejected = rejected.Text,
            ChosenScore = chosenScore,
            RejectedScore = rejectedScore,
            TraceId = trace.Id,
        };
        return new PairSelection([pair], []);
    }

    /// <summary>Returns the name and every setting that changes a pair.</summary>
    public override string ToString() => $"{nameof(RuleBasedSelection)} {{ RequireAgreement = {_requireAgreement} }}";
}
