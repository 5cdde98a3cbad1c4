using System.Diagnostics;
using System.Globalization;
using Aries.OnnxRuntimeGenAI;

namespace Aries.Benchmarks.GenAI;

/// <summary>Prints what a chain of four turns takes on the real library when each goes on from the one before, and when each computes its whole prompt.</summary>
internal static class GenAIChainTable
{
    private const int TurnCount = 4;
    private const int RoundCount = 3;

    /// <summary>Prints the table.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="nativeFolder">The folder of the native libraries.</param>
    /// <param name="modelFolder">The model; its context holds the longest chain.</param>
    /// <param name="wordCounts">The words of the questions.</param>
    public static async Task PrintAsync(TextWriter output, string nativeFolder, string modelFolder, IReadOnlyList<int> wordCounts)
    {
        GenAIPolicyOptions options = new() { NativeLibraryFolder = nativeFolder, MaxDraftLength = 0 };
        using GenAIPolicyModel reusing = GenAIPolicyModel.Load(modelFolder, options with { KeepsLastSequence = true });
        using GenAIPolicyModel fresh = GenAIPolicyModel.Load(modelFolder, options with { KeepsLastSequence = false });
        output.WriteLine("| words of the question | prompt tokens of the chain | fresh, s | reused, s | fresh ÷ reused |");
        output.WriteLine("| ---: | ---: | ---: | ---: | ---: |");
        foreach (int words in wordCounts)
        {
            (double freshSeconds, double reusedSeconds, long tokens) = (double.MaxValue, double.MaxValue, 0);
            for (int round = 0; round < RoundCount; round++)
            {
                string question = string.Join(' ', Enumerable.Range(0, words).Select(word => $"word{word + round}"));
                freshSeconds = Math.Min(freshSeconds, (await RunAsync(fresh, question).ConfigureAwait(false)).Seconds);
                (double seconds, tokens) = await RunAsync(reusing, question).ConfigureAwait(false);
                reusedSeconds = Math.Min(reusedSeconds, seconds);
            }

            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {words} | {tokens} | {freshSeconds:F2} | {reusedSeconds:F2} | {freshSeconds / reusedSeconds:F1} |"));
        }
    }

    private static async Task<(double Seconds, long PromptTokens)> RunAsync(GenAIPolicyModel model, string question)
    {
        long start = Stopwatch.GetTimestamp();
        long tokens = 0;
        for (int turn = 0; turn < TurnCount; turn++)
        {
            Response response = await model.GenerateAsync(question, new SamplingOptions { Temperature = 0, MaxTokens = 8 }).ConfigureAwait(false);
            tokens += response.Usage.PromptTokens;
            question += response.Text + " Better:";
        }

        return (Stopwatch.GetElapsedTime(start).TotalSeconds, tokens);
    }
}
