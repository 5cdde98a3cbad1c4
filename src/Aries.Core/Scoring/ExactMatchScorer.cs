namespace Aries;

/// <summary>Scores a response 1 where its answer equals the reference answer of its prompt, else 0.</summary>
/// <remarks>A response without a readable answer is wrong: 0, with a remark. A prompt without a reference answer has no score.</remarks>
/// <threadsafety>As thread-safe as the extractor and the look-up.</threadsafety>
public sealed class ExactMatchScorer : IRewardScorer
{
    private readonly IAnswerExtractor _extractor;
    private readonly Func<Prompt, string?> _findGold;

    /// <summary>Creates the scorer.</summary>
    /// <param name="extractor">Reads the answer out of a response.</param>
    /// <param name="findGold">Returns the reference answer of a prompt in the extractor's form, or null where there is none.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public ExactMatchScorer(IAnswerExtractor extractor, Func<Prompt, string?> findGold)
    {
        ArgumentNullException.ThrowIfNull(extractor);
        ArgumentNullException.ThrowIfNull(findGold);
        (_extractor, _findGold) = (extractor, findGold);
    }

    /// <summary>Creates the scorer of a data set in GSM8K's form, where the reference number stands after <c>####</c>.</summary>
    /// <param name="records">The data set; copied.</param>
    /// <param name="extractor">Reads the answer out of a response; null for <see cref="Gsm8kAnswerExtractor.Flexible"/>.</param>
    /// <exception cref="ArgumentException">A row has no number after <c>####</c>, or two rows ask the same and have different answers.</exception>
    public static ExactMatchScorer ForGsm8k(IEnumerable<PromptRecord> records, IAnswerExtractor? extractor = null)
    {
        ArgumentNullException.ThrowIfNull(records);
        Dictionary<Prompt, string> golds = [];
        foreach (PromptRecord record in records)
        {
            string gold = (record.Answer is null ? null : Gsm8kAnswerExtractor.Strict.Extract(record.Answer))
                ?? throw new ArgumentException($"The question \"{record.Prompt}\" has no number after #### in its answer: \"{record.Answer}\".", nameof(records));
            if (!golds.TryAdd(record.Prompt, gold) && golds[record.Prompt] != gold)
            {
                throw new ArgumentException($"The question \"{record.Prompt}\" stands twice, with the answers {golds[record.Prompt]} and {gold}.", nameof(records));
            }
        }

        return new ExactMatchScorer(extractor ?? Gsm8kAnswerExtractor.Flexible, golds.GetValueOrDefault);
    }

    /// <inheritdoc />
    public Task<IReadOnlyList<RewardScore>> ScoreAsync(IReadOnlyList<ScoringRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult<IReadOnlyList<RewardScore>>([.. requests.Select(Score)]);
    }

    /// <summary>Returns the name and the extractor's.</summary>
    public override string ToString() => $"{nameof(ExactMatchScorer)} {{ Extractor = {_extractor} }}";

    private RewardScore Score(ScoringRequest request)
    {
        if (_findGold(request.Prompt) is not { } gold)
        {
            return RewardScore.Invalid("The prompt has no reference answer.");
        }

        return _extractor.Extract(request.Response) is { } answer
            ? new RewardScore(answer == gold ? 1 : 0)
            : new RewardScore(0, "The response holds no readable answer.");
    }
}
