namespace Aries;

/// <summary>Makes no pairs: an evaluation wants none, and a round's are made of the chains that its file holds.</summary>
internal sealed class NoSelection : IPreferencePairSelector
{
    private static readonly PairSelection None = new([], []);

    public bool NeedsScores => false;

    public PairSelection SelectPairs(RefinementTrace trace) => None;
}
