namespace Aries.OnnxRuntime.Tests;

/// <summary>Code of docs/backends/onnxruntime.md, which runs here.</summary>
public sealed class Serving(ExportedModels models)
{
    [Fact]
    public async Task Serve_WrittenModel_Answers()
    {
        string text = await ServeAsync(ExportedModels.StoriesSource, models.NewPath());

        Assert.NotEmpty(text);
    }

    private static async Task<string> ServeAsync(string checkpoint, string folder)
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        #region serve
        GenAIModelWriter.Write(checkpoint, folder, new GenAIModelOptions { UsesFourBitWeights = true }, cancellationToken);

        using OnnxRuntimePolicyModel policy = OnnxRuntimePolicyModel.Load(folder);
        Response response = await policy.GenerateAsync("Once upon a time", new SamplingOptions { Temperature = 0, MaxTokens = 40 }, cancellationToken);
        #endregion
        return response.Text;
    }
}
