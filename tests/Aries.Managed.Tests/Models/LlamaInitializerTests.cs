using Aries.TestKit;

namespace Aries.Managed.Tests;

public class LlamaInitializerTests
{
    public static TheoryData<string, LlamaConfig> BadConfigs => new()
    {
        { "HiddenSize", TestModels.SmallConfig with { HiddenSize = 0 } },
        { "KeyValueHeadCount", TestModels.SmallConfig with { HeadCount = 4, KeyValueHeadCount = 3 } },
        { "HeadSize", TestModels.SmallConfig with { HeadSize = 3 } },
        { "EndTokenIds", TestModels.SmallConfig with { EndTokenIds = [] } },
        { "EndTokenIds", TestModels.SmallConfig with { EndTokenIds = [TestModels.SmallConfig.VocabularySize] } },
        { "BeginTokenId", TestModels.SmallConfig with { BeginTokenId = -1 } },
    };

    [Fact]
    public void Create_Seed_GivesTheSameFolderAgainAndAnotherForAnother()
    {
        using TempFolder folder = new();
        string tokenizer = TestData.Golden("stories260K-hf");

        foreach ((string name, int seed) in new[] { ("one", 3), ("same", 3), ("other", 4) })
        {
            LlamaInitializer.Create(folder.At(name), TestModels.SmallConfig, tokenizer, seed);
        }

        string[] hashes = [.. new[] { "one", "same", "other" }.Select(name => CheckpointFingerprint.Compute(folder.At(name), null, TestContext.Current.CancellationToken))];
        Assert.Equal(hashes[0], hashes[1]);
        Assert.NotEqual(hashes[0], hashes[2]);
        Assert.True(File.Exists(folder.At("one", "tokenizer.json")));
    }

    [Theory]
    [MemberData(nameof(BadConfigs))]
    public void Create_SizesThatMakeNoModel_ThrowsAndWritesNothing(string named, LlamaConfig config)
    {
        using TempFolder folder = new();

        ArgumentException exception = Assert.Throws<ArgumentException>(() => LlamaInitializer.Create(folder.At("model"), config, TestData.Golden("stories260K-hf"), 1));

        Assert.Contains(named, exception.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Create_NoTokenizerFolder_ThrowsAndNamesIt()
    {
        using TempFolder folder = new();

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => LlamaInitializer.Create(folder.At("model"), TestModels.SmallConfig, folder.At("missing"), 1));

        Assert.Equal(folder.At("missing"), exception.File);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }
}
