namespace Aries.TestKit;

/// <summary>Scores a text by a function; a NaN makes the response invalid.</summary>
/// <param name="name">What the scorer is known by.</param>
/// <param name="score">The function.</param>
public sealed class ToyScorer(string name, Func<ScoringRequest, double> score) : IRewardScorer
{
    /// <summary>Gets how many responses were scored.</summary>
    public int ScoredCount { get; private set; }

    /// <summary>Makes a scorer of a toy policy's answers: the mean of the digits.</summary>
    public static ToyScorer MeanDigit() => new("mean digit", request => Digits(request).DefaultIfEmpty(0).Average());

    /// <summary>Makes a verifier of a toy policy's answers: 1 if the first digit is 5 or more, else 0.</summary>
    public static ToyScorer FirstDigit() => new("first digit", request => Digits(request).FirstOrDefault() >= 5 ? 1 : 0);

    /// <inheritdoc />
    public Task<IReadOnlyList<RewardScore>> ScoreAsync(IReadOnlyList<ScoringRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        ScoredCount += requests.Count;
        return Task.FromResult<IReadOnlyList<RewardScore>>(
            [.. requests.Select(request => score(request) is var value && double.IsFinite(value) ? new RewardScore(value) : RewardScore.Invalid("no number"))]);
    }

    /// <inheritdoc />
    public override string ToString() => $"toy scorer ({name})";

    private static IEnumerable<double> Digits(ScoringRequest request) => request.Response.Where(char.IsAsciiDigit).Select(digit => (double)(digit - '0'));
}
