namespace Aries.OnnxRuntime.Tests;

/// <summary>Prompts and responses to compare engines on.</summary>
internal static class Texts
{
    public static IReadOnlyList<LogProbabilityRequest> Stories { get; } =
    [
        new("Once upon a time", ", there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. She wanted to play with it, but it was too high."),
        new("Once upon a time", ", there was a big dog. He was very sad."),
        new("Tom and his mom went to the store.", " Tom saw a toy car and said, \"Mom, can I have it?\" His mom smiled and said yes."),
        new("The sun was hot.", " Ben ran to the lake and jumped in."),
    ];

    public static async Task<double> MeanLogProbabilityAsync(ILogProbabilityModel model)
    {
        IReadOnlyList<ResponseLogProbability> scores = await model.GetLogProbabilitiesAsync(Stories, TestContext.Current.CancellationToken);
        return scores.Sum(score => score.Sum) / scores.Sum(score => score.TokenIds.Count);
    }

    /// <summary>Asserts that two engines give each token the same log-probability.</summary>
    public static async Task AssertSameAsync(ILogProbabilityModel expected, ILogProbabilityModel actual, IReadOnlyList<LogProbabilityRequest> requests, double tolerance)
    {
        IReadOnlyList<ResponseLogProbability> wanted = await expected.GetLogProbabilitiesAsync(requests, TestContext.Current.CancellationToken);
        IReadOnlyList<ResponseLogProbability> found = await actual.GetLogProbabilitiesAsync(requests, TestContext.Current.CancellationToken);
        for (int index = 0; index < wanted.Count; index++)
        {
            Assert.Equal(wanted[index].TokenIds, found[index].TokenIds);
            for (int token = 0; token < wanted[index].TokenIds.Count; token++)
            {
                Assert.Equal(wanted[index].TokenLogProbabilities[token], found[index].TokenLogProbabilities[token], tolerance);
            }
        }
    }
}
