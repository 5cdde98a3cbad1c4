using Aries.Managed;

namespace Aries.EndToEnd.Tests.Snippets;

/// <summary>The code of docs/guides/loading-models.md.</summary>
internal static class Models
{
    public static async Task<string> LoadAsync(string modelFolder)
    {
        #region load-folder
        using ManagedPolicyModel policy = await ManagedPolicyModel.LoadAsync(modelFolder, new ManagedPolicyOptions { ContextLength = 256 });
        Response response = await policy.GenerateAsync("Once upon a time", new SamplingOptions { Temperature = 0, MaxTokens = 20 });
        #endregion
        return response.Text;
    }

    public static string LoadFile(string checkpointFile, string tokenizerFile)
    {
        #region load-llama2c
        using ManagedPolicyModel policy = ManagedPolicyModel.Load(checkpointFile, new ManagedPolicyOptions { TokenizerPath = tokenizerFile });
        #endregion
        return policy.GetService<PolicyModelMetadata>()!.ModelId!;
    }

    public static string LoadStored(string modelFolder)
    {
        #region weight-storage
        using ManagedPolicyModel policy = ManagedPolicyModel.Load(modelFolder, new ManagedPolicyOptions { WeightStorage = WeightStorage.Int8 });
        #endregion
        return policy.GetService<PolicyModelMetadata>()!.ModelId!;
    }

    public static async Task<string> LoadCheckpointAsync(string modelFolder, string adapterFolder)
    {
        #region load-checkpoint
        ManagedPolicyModelLoader loader = new();
        PolicyCheckpoint checkpoint = new(modelFolder, adapterFolder);
        using IPolicyModel policy = await loader.LoadAsync(checkpoint);
        string fingerprint = await loader.GetFingerprintAsync(checkpoint); // equal for equal contents, wherever they lie
        #endregion
        return fingerprint;
    }

    public static async Task<Response> LoadWithTemplateAsync(string modelFolder)
    {
        #region own-template
        ChatTemplate template = new()
        {
            Name = "questions",
            UserStart = "Question: ",
            UserEnd = "\n",
            AssistantStart = "Answer: ",
            AssistantEnd = "\n",
            ResponseStart = "Answer:",
            ResponseLead = " ",
        };
        using ManagedPolicyModel policy = ManagedPolicyModel.Load(modelFolder, new ManagedPolicyOptions { ChatTemplate = template });
        Response response = await policy.GenerateAsync(
            new Prompt([new(PromptRole.User, "Who is Tom?"), new(PromptRole.Assistant, "A cat."), new(PromptRole.User, "And Lily?")]),
            new SamplingOptions { MaxTokens = 8, StopSequences = ["\n"] });
        #endregion
        return response;
    }

    public static async Task<double> ScoreAsync(string modelFolder)
    {
        #region log-probability
        using ManagedPolicyModel policy = ManagedPolicyModel.Load(modelFolder);
        IReadOnlyList<ResponseLogProbability> scores = await policy.GetLogProbabilitiesAsync(
            [new LogProbabilityRequest("Once upon a time", ", there was a little girl."), new LogProbabilityRequest("Once upon a time", " mortgage.")]);
        double difference = scores[0].Sum - scores[1].Sum; // nats; the first is the more probable
        #endregion
        return difference;
    }
}
