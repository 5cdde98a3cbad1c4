namespace Aries;

/// <summary>Adds up the pairs of a round: what was dropped and why, and how often the label agrees with the true scores.</summary>
internal sealed class PairStatistics
{
    private readonly SortedDictionary<string, int> _drops = new(StringComparer.Ordinal);
    private int _kept;
    private int _right;
    private int _wrong;
    private int _equal;
    private long _chosenCharacters;
    private long _rejectedCharacters;

    public IReadOnlyDictionary<string, int> Drops => _drops;

    /// <summary>Adds what a selector made of one chain.</summary>
    /// <param name="selection">The pairs and drops.</param>
    /// <param name="trueScore">Gives the true score of a response to the chain's prompt; null where it has none.</param>
    public void Add(PairSelection selection, Func<string, double?>? trueScore)
    {
        foreach (string reason in selection.Drops)
        {
            _drops[reason] = _drops.GetValueOrDefault(reason) + 1;
        }

        foreach (PreferencePair pair in selection.Pairs)
        {
            _kept++;
            _chosenCharacters += pair.Chosen.Length;
            _rejectedCharacters += pair.Rejected.Length;
            if (trueScore?.Invoke(pair.Chosen) is { } chosen && trueScore(pair.Rejected) is { } rejected)
            {
                _right += chosen > rejected ? 1 : 0;
                _wrong += chosen < rejected ? 1 : 0;
                _equal += chosen == rejected ? 1 : 0;
            }
        }
    }

    public PairsReport ToReport(bool hasTrueScores) => new()
    {
        KeptCount = _kept,
        Drops = _drops,
        RightCount = hasTrueScores ? _right : null,
        WrongCount = hasTrueScores ? _wrong : null,
        EqualCount = hasTrueScores ? _equal : null,
        MeanChosenCharacters = _kept == 0 ? 0 : (double)_chosenCharacters / _kept,
        MeanRejectedCharacters = _kept == 0 ? 0 : (double)_rejectedCharacters / _kept,
    };
}
