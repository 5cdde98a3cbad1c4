namespace Aries.Benchmarks.Managed;

/// <summary>The tokens of a pair's prompt and of its two responses.</summary>
internal readonly record struct PairLength(int Prompt, int Chosen, int Rejected)
{
    /// <summary>Gets eight pairs as a collection of dialogues has them, 235 tokens a sequence on average.</summary>
    /// <remarks>
    /// Of the 2,307 pairs of hh-rlhf's harmless test set whose two dialogues begin alike (Bai et al. 2022, <see href="https://arxiv.org/abs/2204.05862"/>), the words and marks of the prompt (all up to the
    /// last answer) have a log-normal's shape with σ = 1.06, those of the last answer one with σ = 0.91; the medians are 77 and 30. Here are the octiles' middles of the first and the sixteenths' of the
    /// second, all 1.43 times as long, so that the mean is near that of pairs of like length; in an order drawn once.
    /// </remarks>
    public static IReadOnlyList<PairLength> Dialogues { get; } =
    [
        new(93, 17, 30), new(282, 143, 53), new(43, 46, 25), new(185, 73, 108), new(559, 8, 40), new(22, 13, 21), new(130, 87, 35), new(66, 62, 234),
    ];
}
