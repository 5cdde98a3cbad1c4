using Aries.LocalModels.Tests;
using Aries.TestKit;

namespace Aries.Managed.Tests;

public class LoadedModelTests
{
    [Fact]
    public void Load_GoldenFolderAndLlama2cFile_GiveTheSameIds()
    {
        LoadedModel folder = LoadedModel.Load(TestData.Golden("stories260K-hf"), TestData.Golden("lora"));
        LoadedModel file = LoadedModel.Load(TestData.Golden("stories260K", "stories260K.bin"));

        Assert.Equal(folder.Encoder.EncodePrompt("Lily saw"), file.Encoder.EncodePrompt("Lily saw"));
        Assert.Equal(1, folder.Encoder.EncodePrompt("Lily saw")[0]);
        Assert.Equal([1, 2], folder.Encoder.EndTokenIds);
        Assert.Equal("plain", folder.Encoder.Template.Name);
        Assert.NotNull(folder.Adapter);
        Assert.Null(file.Adapter);
    }

    [Fact]
    public void Load_TokenizerLargerThanModel_Throws()
    {
        using TempFolder folder = new();
        string copy = folder.CopyOf(TestData.Golden("stories260K-hf"));
        LlamaFolderTests.Edit(copy, "tokenizer.json", json => json["added_tokens"]!.AsArray().Add(new System.Text.Json.Nodes.JsonObject { ["id"] = 600, ["content"] = "<new>" }));

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => LoadedModel.Load(copy));

        Assert.Contains("600", exception.Problem, StringComparison.Ordinal);
    }

    // The file that is named is read, not one of the usual name beside it; a folder may hold either kind.
    [Fact]
    public void Load_TokenizerPath_ReadsWhatItNames()
    {
        using TempFolder folder = new();
        string model = TestData.Golden("stories260K-hf");
        File.WriteAllText(folder.At("tokenizer.json"), SmallTokenizer.Json(SmallTokenizer.Gpt2Steps, merges: 3));
        File.Copy(Path.Combine(model, "tokenizer.json"), folder.At("mine.json"));
        Directory.CreateDirectory(folder.At("binary"));
        File.Copy(Path.Combine(model, "tokenizer.bin"), folder.At("binary", "tokenizer.bin"));
        int[] expected = LoadedModel.Load(model).Tokenizer.Encode("Once upon a time");

        Assert.Equal(expected, LoadedModel.Load(model, tokenizerPath: folder.At("mine.json")).Tokenizer.Encode("Once upon a time"));
        Assert.Equal(expected, LoadedModel.Load(model, tokenizerPath: folder.At("binary")).Tokenizer.Encode("Once upon a time"));
        Assert.NotEqual(expected, LoadedModel.Load(model, tokenizerPath: folder.Path).Tokenizer.Encode("Once upon a time"));
        Assert.Throws<ModelFormatException>(() => LoadedModel.Load(model, tokenizerPath: folder.At("missing.json")));
    }
}
