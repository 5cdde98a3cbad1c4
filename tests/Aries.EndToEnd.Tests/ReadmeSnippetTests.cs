using Aries.EndToEnd.Tests.Snippets;
using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

/// <summary>Runs the code of README.md on a small model.</summary>
public class ReadmeSnippetTests
{
    [Fact]
    public async Task Refine_SmallModel_Answers()
    {
        string? answer = await ReadmeSnippets.RefineAsync(TestData.Golden("stories260K-hf"));

        Assert.False(string.IsNullOrWhiteSpace(answer));
    }

    [Fact]
    public async Task Train_SmallModelOneRound_LeavesAnAdapterAndAReport()
    {
        string folder = Directory.CreateTempSubdirectory("aries-readme-").FullName;
        try
        {
            AriesLoopOptions options = new()
            {
                RoundCount = 1,
                PromptsPerRound = 4,
                Sampling = new SamplingOptions { Temperature = 1, MaxTokens = 12 },
            };
            DelegateRewardScorer scorer = new((_, response) => response.Length, "length");

            AriesRunResult run = await ReadmeSnippets.TrainAsync(
                TestData.Golden("stories260K-hf"), ["Tom", "Lily", "Once", "The"], ["Ben"], scorer, Path.Combine(folder, "run"), options);

            Assert.Equal(2, run.Rounds.Count);
            Assert.True(File.Exists(Path.Combine(run.LastCheckpoint.AdapterPath!, "adapter_model.safetensors")));
            Assert.True(File.Exists(Path.Combine(run.RunFolder, "report.html")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
