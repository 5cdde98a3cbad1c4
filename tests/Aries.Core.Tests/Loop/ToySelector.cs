namespace Aries.Core.Tests;

/// <summary>Best against worst score; equal scores and unscored drafts give no pair.</summary>
internal sealed class ToySelector(string equalReason = PairDropReasons.Equal) : IPreferencePairSelector
{
    public bool NeedsScores => true;

    public PairSelection SelectPairs(RefinementTrace trace)
    {
        TraceStep[] scored = [.. trace.Drafts.Where(draft => draft.Score is { IsValid: true })];
        if (scored.Length < 2)
        {
            return new PairSelection([], [PairDropReasons.NotScored]);
        }

        TraceStep best = scored.MaxBy(draft => draft.Score!.Value.Value)!;
        TraceStep worst = scored.MinBy(draft => draft.Score!.Value.Value)!;
        return best.Score!.Value.Value == worst.Score!.Value.Value
            ? new PairSelection([], [equalReason])
            : new PairSelection([new PreferencePair { Prompt = trace.Prompt, Chosen = best.Text, Rejected = worst.Text, TraceId = trace.Id }], []);
    }
}
