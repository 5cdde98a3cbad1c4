using System.Text.Json.Nodes;

namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>What is wrong with a folder, an adapter or a machine: an exception that says the fix, and nothing that is left behind.</summary>
public sealed class BadInputTests(GenAIFolders folders) : FakeLibraryTests(folders)
{
    [Theory]
    [InlineData("genai_config.json")]
    [InlineData("model.onnx")]
    public void Load_MissingFile_NamesIt(string name)
    {
        string folder = Folders.CopyOf(Folders.Stories);
        File.Delete(Path.Combine(folder, name));

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => Load(folder, GenAIFolders.StoriesSource));

        Assert.EndsWith(name, exception.File, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_MissingFolder_NamesIt()
    {
        string folder = Folders.NewPath();

        Assert.Equal(folder, Assert.Throws<ModelFormatException>(() => Load(folder, GenAIFolders.StoriesSource)).File);
    }

    [Theory]
    [InlineData("genai_config.json")]
    [InlineData("tokenizer.json")]
    public void Load_TruncatedFile_Throws(string name)
    {
        string folder = Folders.CopyOf(Folders.Stories);
        string path = Path.Combine(folder, name);
        File.WriteAllBytes(path, File.ReadAllBytes(path).AsSpan(0, (int)(new FileInfo(path).Length / 2)).ToArray());

        Assert.Throws<ModelFormatException>(() => Load(folder, GenAIFolders.StoriesSource));
    }

    [Theory]
    [InlineData("type", "\"mamba\"", "does not know")]
    [InlineData("vocab_size", "0", "vocab_size")]
    [InlineData("context_length", "\"long\"", "context_length")]
    [InlineData("eos_token_id", "[]", "eos_token_id")]
    [InlineData("encoder", "{}", "encoder")]
    public void Load_ConfigurationThatIsNotRun_SaysWhat(string key, string value, string named)
    {
        string folder = Folders.CopyOf(Folders.Stories);
        string path = Path.Combine(folder, "genai_config.json");
        JsonNode json = JsonNode.Parse(File.ReadAllText(path))!;
        json["model"]![key] = JsonNode.Parse(value);
        File.WriteAllText(path, json.ToJsonString());

        Assert.Contains(named, Assert.Throws<ModelFormatException>(() => Load(folder, GenAIFolders.StoriesSource)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_FolderThatTheLibraryCannotLoad_SaysWhatItReported()
    {
        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => GenAIPolicyModel.Load(_ => Library.Api, Folders.QuickStart, options: null));

        Assert.Contains("Load model", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_GpuThatCannotBeUsed_NamesTheFileThePackageAndTheVersionsOfCuda()
    {
        GenAILibraryException exception = Assert.Throws<GenAILibraryException>(() => LoadStories(new GenAIPolicyOptions { Providers = [GenAIExecutionProvider.Cuda()] }));

        Assert.Equal(LibraryNames.Cuda, exception.FileName);
        Assert.Contains("Microsoft.ML.OnnxRuntimeGenAI.Cuda", exception.Fix, StringComparison.Ordinal);
        Assert.Contains("CUDA 13", exception.Fix, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_AdapterForAModelThatTakesNone_SaysHowToWriteIt()
    {
        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => LoadStories(new GenAIPolicyOptions { AdapterPath = GenAIFolders.Adapter }));

        Assert.Contains("AdapterTargets", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Load_AdapterOfAnotherBaseOrTruncated_ThrowsAndTheModelLoadsWithoutIt()
    {
        string other = Folders.Write(GenAIFolders.QuickStartSource, new OnnxRuntime.GenAIModelOptions { AdapterTargets = LoraProjections.All });
        string truncated = Folders.CopyOf(GenAIFolders.Adapter);
        string path = Path.Combine(truncated, "adapter_model.safetensors");
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..^100]);

        Assert.Throws<ModelFormatException>(() => Load(other, GenAIFolders.QuickStartSource, new GenAIPolicyOptions { AdapterPath = GenAIFolders.Adapter }));
        Assert.Throws<ModelFormatException>(() => Load(Folders.Adaptable, GenAIFolders.StoriesSource, new GenAIPolicyOptions { AdapterPath = truncated }));
        Assert.Throws<ModelFormatException>(() => Load(Folders.Adaptable, GenAIFolders.StoriesSource, new GenAIPolicyOptions { AdapterPath = Folders.NewPath() }));

        using GenAIPolicyModel model = Load(Folders.Adaptable, GenAIFolders.StoriesSource);
        Assert.NotEmpty((await model.GenerateAsync("Tom", new SamplingOptions { MaxTokens = 3 }, TestContext.Current.CancellationToken)).Text);
    }

    [Theory]
    [InlineData(nameof(GenAIPolicyOptions.MaxBatchSize), 0)]
    [InlineData(nameof(GenAIPolicyOptions.MaxBatchSize), 33)]
    [InlineData(nameof(GenAIPolicyOptions.PrefillLength), 0)]
    [InlineData(nameof(GenAIPolicyOptions.MaxDraftLength), -1)]
    [InlineData(nameof(GenAIPolicyOptions.ContextLength), 1)]
    [InlineData(nameof(GenAIPolicyOptions.ThreadCount), 0)]
    public void Validate_NumberOutsideItsRange_NamesIt(string name, int value)
    {
        GenAIPolicyOptions options = new();
        typeof(GenAIPolicyOptions).GetProperty(name)!.SetValue(options, value);

        Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(options.Validate).ParamName);
    }

    [Fact]
    public void Validate_ProvidersNamedTwiceOrNull_Throws()
    {
        Assert.Throws<ArgumentException>(new GenAIPolicyOptions { Providers = [GenAIExecutionProvider.Cuda(), GenAIExecutionProvider.Cuda(1)] }.Validate);
        Assert.Throws<ArgumentException>(new GenAIPolicyOptions { Providers = [null!] }.Validate);
        Assert.Throws<ArgumentOutOfRangeException>(() => GenAIExecutionProvider.Cuda(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => GenAIExecutionProvider.Cuda(memoryLimit: 0));
    }

    [Fact]
    public void Equals_ProvidersOfOneNameAndOptions_AreEqual()
    {
        Assert.Equal(GenAIExecutionProvider.Cuda(1, 5), GenAIExecutionProvider.Cuda(1, 5));
        Assert.NotEqual(GenAIExecutionProvider.Cuda(1, 5), GenAIExecutionProvider.Cuda(1, 6));
        Assert.Equal("cuda(device_id=1, enable_cuda_graph=0)", GenAIExecutionProvider.Cuda(1).ToString());
    }
}
