using Aries.Managed;

namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>Compares engines that have the same weights.</summary>
internal static class Engines
{
    public static IReadOnlyList<LogProbabilityRequest> Scored { get; } =
    [
        new("Once upon a time", ", there was a little girl named Lily. She loved to play outside in the park."),
        new("Tom", " saw a dog") { IncludeEndToken = false },
        new("Once upon a time", ", there was a big dog."),
        new("Tom", ""),
        new("Once upon a time", ", there was a big dog."),
    ];

    /// <summary>Asserts that two engines draw the same tokens.</summary>
    /// <param name="expected">One engine.</param>
    /// <param name="actual">The other.</param>
    /// <param name="requests">What is asked of both.</param>
    /// <param name="tolerance">How far the tokens' log-probabilities may be apart, in nats.</param>
    public static async Task AssertSameAsync(IPolicyModel expected, IPolicyModel actual, GenerationRequest[] requests, double tolerance = 0)
    {
        IReadOnlyList<Response> wanted = await expected.GenerateAsync(requests, TestContext.Current.CancellationToken);
        IReadOnlyList<Response> found = await actual.GenerateAsync(requests, TestContext.Current.CancellationToken);
        for (int index = 0; index < requests.Length; index++)
        {
            Assert.Equal(wanted[index].TokenIds, found[index].TokenIds);
            Assert.Equal(wanted[index].Text, found[index].Text);
            Assert.Equal(wanted[index].FinishReason, found[index].FinishReason);
            Assert.Equal(wanted[index].Usage.PromptTokens, found[index].Usage.PromptTokens);
            Assert.All(
                (wanted[index].TokenLogProbabilities ?? []).Zip(found[index].TokenLogProbabilities ?? []),
                pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, tolerance));
        }
    }

    /// <summary>Asserts that a model of the stories' weights draws what the managed engine draws, to the last bit.</summary>
    public static async Task AssertStoriesAsync(GenAIPolicyModel model, GenerationRequest[] requests)
    {
        using ManagedPolicyModel managed = ManagedPolicyModel.Load(GenAIFolders.StoriesSource);
        await AssertSameAsync(managed, model, requests);
    }

    /// <summary>Asserts that two engines give each token the same log-probability.</summary>
    public static async Task AssertSameScoresAsync(ILogProbabilityModel expected, ILogProbabilityModel actual, IReadOnlyList<LogProbabilityRequest> requests, double tolerance)
    {
        IReadOnlyList<ResponseLogProbability> wanted = await expected.GetLogProbabilitiesAsync(requests, TestContext.Current.CancellationToken);
        IReadOnlyList<ResponseLogProbability> found = await actual.GetLogProbabilitiesAsync(requests, TestContext.Current.CancellationToken);
        for (int index = 0; index < requests.Count; index++)
        {
            Assert.Equal(wanted[index].TokenIds, found[index].TokenIds);
            Assert.All(wanted[index].TokenLogProbabilities.Zip(found[index].TokenLogProbabilities), pair => Assert.Equal(pair.First, pair.Second, tolerance));
        }
    }

    /// <summary>Asserts that a model of the stories' weights scores as the managed engine does.</summary>
    public static async Task AssertStoryScoresAsync(GenAIPolicyModel model, double tolerance = 1e-5)
    {
        using ManagedPolicyModel managed = ManagedPolicyModel.Load(GenAIFolders.StoriesSource);
        await AssertSameScoresAsync(managed, model, Scored, tolerance);
    }
}
