using Aries.OnnxRuntime;

namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>Code of docs/backends/onnxruntime-genai.md, which runs here where the native libraries are.</summary>
[Collection(FakeLibraryTests.Name)]
public sealed class Serving(GenAIFolders folders)
{
    [Fact]
    public async Task Generate_Folder_Answers()
    {
        // The process loads the libraries that the next line of an app finds by itself.
        _ = RealLibrary.Api;

        Assert.NotEmpty(await GenerateAsync(folders.Stories));
    }

    [Fact]
    public async Task Adapters_CheckpointOfAnotherEngine_Answers()
    {
        Assert.NotEmpty(await ServeAdapterAsync(GenAIFolders.StoriesSource, GenAIFolders.Adapter, folders.NewPath(), RealLibrary.Options));
    }

    private static async Task<string> GenerateAsync(string folder)
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        #region generate
        using GenAIPolicyModel policy = await GenAIPolicyModel.LoadAsync(folder);
        Response response = await policy.GenerateAsync("Once upon a time", new SamplingOptions { Temperature = 0, MaxTokens = 40 }, cancellationToken);
        #endregion
        return response.Text;
    }

    private static async Task<string> ServeAdapterAsync(string baseModel, string adapter, string served, GenAIPolicyOptions options)
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        #region adapters
        GenAIModelWriter.Write(baseModel, served, new GenAIModelOptions { AdapterTargets = LoraProjections.All }, cancellationToken);

        using GenAIPolicyModelLoader loader = new(options, (_, _) => Task.FromResult(served));
        using IPolicyModel policy = await loader.LoadAsync(new PolicyCheckpoint(baseModel, adapter), cancellationToken);
        #endregion
        return (await policy.GenerateAsync("Once", new SamplingOptions { Temperature = 0, MaxTokens = 4 }, cancellationToken)).Text;
    }
}
