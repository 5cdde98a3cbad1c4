using Aries.Managed;
using Aries.TestKit;
using Microsoft.Extensions.DependencyInjection;

namespace Aries.OnnxRuntime.Tests;

public sealed class OnnxRuntimePolicyModelTests(ExportedModels models)
{
    private static readonly string[] Names = ["Tom", "Ann", "Ben", "Sue"];

    // Additions as QuickStart's model is asked them; two engines whose logits differ by 1e-5 choose the same token unless two are as near as that.
    [Fact]
    public async Task GenerateAsync_QuickStartGreedy_WritesWhatTheManagedEngineWrites()
    {
        using ManagedPolicyModel managed = ManagedPolicyModel.Load(ExportedModels.QuickStartSource);
        using OnnxRuntimePolicyModel onnx = OnnxRuntimePolicyModel.Load(models.QuickStart, new OnnxRuntimePolicyOptions { PrefillLength = 16 });
        GenerationRequest[] requests =
        [
            .. Enumerable.Range(0, 100).Select(index => new GenerationRequest(
                $"{Names[index % 4]} has {index} apples and buys {(index * 7) % 20} more. How many apples does {Names[index % 4]} have?",
                new SamplingOptions { Temperature = 0, MaxTokens = 40 })),
        ];

        IReadOnlyList<Response> expected = await managed.GenerateAsync(requests, TestContext.Current.CancellationToken);
        IReadOnlyList<Response> actual = await onnx.GenerateAsync(requests, TestContext.Current.CancellationToken);

        Assert.Equal(expected.Select(response => response.Text), actual.Select(response => response.Text));
        Assert.Equal(expected.Select(response => response.FinishReason), actual.Select(response => response.FinishReason));
        Assert.True(actual.Select(response => response.Text).Distinct().Count() > 10, "The answers are all alike.");
    }

    // Equal seeds draw equal tokens: the whole distribution is the same, not only its largest value.
    [Fact]
    public async Task GenerateAsync_EverySamplingOptionAndSeed_DrawsWhatTheManagedEngineDraws()
    {
        using ManagedPolicyModel managed = ManagedPolicyModel.Load(ExportedModels.StoriesSource);
        using OnnxRuntimePolicyModel onnx = OnnxRuntimePolicyModel.Load(models.Stories, new OnnxRuntimePolicyOptions { MaxBatchSize = 5 });
        SamplingOptions[] options =
        [
            new() { MaxTokens = 30 },
            new() { MaxTokens = 30, Temperature = 0.7f, TopK = 12 },
            new() { MaxTokens = 30, TopP = 0.8f, RepetitionPenalty = 1.3f },
            new() { MaxTokens = 30, MinP = 0.1f, StopSequences = ["the", "."] },
        ];
        GenerationRequest[] requests =
        [
            .. Enumerable.Range(0, 24).Select(index =>
                new GenerationRequest(index % 3 == 0 ? "Once upon a time" : $"{Names[index % 4]} saw a", options[index % 4] with { Seed = index }) { IncludeLogProbabilities = true }),
        ];

        IReadOnlyList<Response> expected = await managed.GenerateAsync(requests, TestContext.Current.CancellationToken);
        IReadOnlyList<Response> actual = await onnx.GenerateAsync(requests, TestContext.Current.CancellationToken);

        for (int index = 0; index < requests.Length; index++)
        {
            Assert.Equal(expected[index].TokenIds, actual[index].TokenIds);
            Assert.Equal(expected[index].Text, actual[index].Text);
            Assert.Equal(expected[index].FinishReason, actual[index].FinishReason);
            Assert.Equal(expected[index].LogProbability!.Value, actual[index].LogProbability!.Value, 1e-3);
        }
    }

    [Fact]
    public async Task GenerateAsync_CandidatesOfOnePrompt_ComputeItOnce()
    {
        using OnnxRuntimePolicyModel model = OnnxRuntimePolicyModel.Load(models.Stories);
        GenerationRequest[] requests = [.. Enumerable.Range(0, 4).Select(seed => new GenerationRequest("Once upon a time, there was a", new SamplingOptions { MaxTokens = 5, Seed = seed }))];

        IReadOnlyList<Response> responses = await model.GenerateAsync(requests, TestContext.Current.CancellationToken);

        Assert.Equal(0, responses[0].Usage.CachedPromptTokens);
        Assert.All(responses.Skip(1), response => Assert.Equal(response.Usage.PromptTokens - 1, response.Usage.CachedPromptTokens));
    }

    [Fact]
    public async Task GenerateAsync_PromptThatFillsTheContext_WritesOneTokenAndEnds()
    {
        using OnnxRuntimePolicyModel model = OnnxRuntimePolicyModel.Load(models.Stories);
        string prompt = "Once upon a time, there was a";
        int length = (int)(await model.GenerateAsync(prompt, new SamplingOptions { MaxTokens = 1 }, TestContext.Current.CancellationToken)).Usage.PromptTokens;
        using OnnxRuntimePolicyModel full = OnnxRuntimePolicyModel.Load(models.Stories, new OnnxRuntimePolicyOptions { ContextLength = length + 1 });

        Response response = await full.GenerateAsync(prompt, new SamplingOptions { Temperature = 0, MaxTokens = 50 }, TestContext.Current.CancellationToken);

        Assert.Equal(FinishReason.Length, response.FinishReason);
        Assert.Single(response.TokenIds!);
    }

    [Fact]
    public async Task GenerateAsync_CancelledWhileItRuns_ThrowsAndTheNextCallWorks()
    {
        using OnnxRuntimePolicyModel model = OnnxRuntimePolicyModel.Load(models.Stories);
        Response expected = await model.GenerateAsync("Tom saw a", new SamplingOptions { Temperature = 0, MaxTokens = 8 }, TestContext.Current.CancellationToken);
        using CancellationTokenSource source = new();
        GenerationRequest[] requests = [.. Enumerable.Range(0, 64).Select(seed => new GenerationRequest("Once", new SamplingOptions { MaxTokens = 400, Seed = seed }))];

        Task<IReadOnlyList<Response>> running = model.GenerateAsync(requests, source.Token);
        await source.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Equal(expected.Text, (await model.GenerateAsync("Tom saw a", new SamplingOptions { Temperature = 0, MaxTokens = 8 }, TestContext.Current.CancellationToken)).Text);
    }

    [Theory]
    [InlineData("model.onnx")]
    [InlineData("model.onnx.data")]
    [InlineData("genai_config.json")]
    [InlineData("tokenizer.json")]
    public void Load_TruncatedFile_Throws(string name)
    {
        string folder = models.CopyOf(models.Stories);
        string path = Path.Combine(folder, name);
        File.WriteAllBytes(path, File.ReadAllBytes(path).AsSpan(0, (int)(new FileInfo(path).Length / 2)).ToArray());

        Assert.Throws<ModelFormatException>(() => OnnxRuntimePolicyModel.Load(folder));
    }

    [Theory]
    [InlineData("model.onnx")]
    [InlineData("model.onnx.data")]
    [InlineData("genai_config.json")]
    public void Load_MissingFile_Throws(string name)
    {
        string folder = models.CopyOf(models.Stories);
        File.Delete(Path.Combine(folder, name));

        Assert.Throws<ModelFormatException>(() => OnnxRuntimePolicyModel.Load(folder));
    }

    [Theory]
    [InlineData("\"head_size\": 8", "\"head_size\": 0", "head_size")]
    [InlineData("\"filename\": \"model.onnx\"", "\"filename\": \"../model.onnx\"", "filename")]
    [InlineData("past_key_values.%d.key", "past.%d.key", "past.0.key")]
    [InlineData("\"num_hidden_layers\": 5", "\"num_hidden_layers\": 7", "past_key_values.6.value")]
    [InlineData("\"vocab_size\": 512", "\"vocab_size\": 200", "vocab_size")]
    public void Load_ConfigurationThatDoesNotFit_SaysWhat(string before, string after, string named)
    {
        string folder = models.CopyOf(models.Stories);
        string path = Path.Combine(folder, "genai_config.json");
        string text = File.ReadAllText(path);
        Assert.Contains(before, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(before, after, StringComparison.Ordinal));

        Assert.Contains(named, Assert.Throws<ModelFormatException>(() => OnnxRuntimePolicyModel.Load(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_AdapterForAModelThatTakesNone_SaysHowToWriteIt()
    {
        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => OnnxRuntimePolicyModel.Load(models.Stories, new OnnxRuntimePolicyOptions { AdapterPath = TestData.Golden("lora") }));

        Assert.Contains("AdapterTargets", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_AdapterOfAnotherBaseOrTruncated_Throws()
    {
        string other = models.Write(ExportedModels.QuickStartSource, new GenAIModelOptions { AdapterTargets = LoraProjections.All });
        string truncated = models.CopyOf(TestData.Golden("lora"));
        string path = Path.Combine(truncated, "adapter_model.safetensors");
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..^100]);

        Assert.Throws<ModelFormatException>(() => OnnxRuntimePolicyModel.Load(other, new OnnxRuntimePolicyOptions { AdapterPath = TestData.Golden("lora") }));
        Assert.Throws<ModelFormatException>(() => OnnxRuntimePolicyModel.Load(models.Adaptable, new OnnxRuntimePolicyOptions { AdapterPath = truncated }));
    }

    // Names: an adapter of another projection than the graph takes, and one of a base with more layers.
    [Fact]
    public void Load_AdapterThatNamesWhatTheBaseLacks_SaysWhat()
    {
        string attention = models.Write(ExportedModels.StoriesSource, new GenAIModelOptions { AdapterTargets = LoraProjections.Attention });
        string deeper = models.CopyOf(TestData.Golden("lora"));
        string path = Path.Combine(deeper, "adapter_model.safetensors");
        File.WriteAllBytes(path, [.. System.Text.Encoding.Latin1.GetBytes(System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(path)).Replace("layers.4.", "layers.5.", StringComparison.Ordinal))]);

        Assert.Contains("AdapterTargets", LoadFailure(attention, TestData.Golden("lora")), StringComparison.Ordinal);
        Assert.Contains("layers.4.", LoadFailure(models.Adaptable, deeper), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"decoder\": {", "\"vision\": {}, \"decoder\": {", "vision")]
    [InlineData("\"decoder\": {", "\"encoder\": {}, \"decoder\": {", "encoder")]
    [InlineData("\"filename\": \"model.onnx\"", "\"pipeline\": [], \"filename\": \"model.onnx\"", "pipeline")]
    public void Load_ModelOfAnotherKind_NamesIt(string before, string after, string named)
    {
        string folder = models.CopyOf(models.Stories);
        string path = Path.Combine(folder, "genai_config.json");
        string text = File.ReadAllText(path);
        Assert.Contains(before, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(before, after, StringComparison.Ordinal));

        Assert.Contains(named, LoadFailure(folder, adapter: null), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_MissingFolder_NamesIt()
    {
        string folder = models.NewPath();

        Assert.Contains(folder, LoadFailure(folder, adapter: null), StringComparison.Ordinal);
    }

    // Each turn's prompt holds all drafts before: the third is longer than the context, the first two drafts are there, and the model goes on.
    [Fact]
    public async Task RefineAsync_ContextExceededInTurnThree_ReturnsTheDraftsAndTheModelGoesOn()
    {
        using OnnxRuntimePolicyModel model = OnnxRuntimePolicyModel.Load(models.Stories, new OnnxRuntimePolicyOptions { ContextLength = 64 });
        SelfRefiner refiner = new(model, new WholeHistory(turnCount: 4), new SelfRefinerOptions
        {
            Sampling = new SamplingOptions { Temperature = 0, MaxTokens = 40 },
            StopWhenUnchanged = false,
        });

        RefinementResult result = await refiner.RefineAsync("Once", TestContext.Current.CancellationToken);
        Response next = await model.GenerateAsync("Once", new SamplingOptions { Temperature = 0, MaxTokens = 4 }, TestContext.Current.CancellationToken);

        Assert.Equal(2, result.Trace.Drafts.Count());
        Assert.NotNull(result.Answer);
        Assert.Contains("context of 64", Assert.IsType<ArgumentException>(result.Error).Message, StringComparison.Ordinal);
        Assert.StartsWith(next.Text, result.Trace.Drafts.First().Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GenerateAsync_PromptOfTheWholeContext_SaysBothLengthsAndTheNextCallWorks()
    {
        using OnnxRuntimePolicyModel model = OnnxRuntimePolicyModel.Load(models.Stories, new OnnxRuntimePolicyOptions { ContextLength = 12 });
        GenerationRequest[] requests = [new("Once"), new("Once upon a time there was a girl who had a dog and a cat and a bird")];

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(() => model.GenerateAsync(requests, TestContext.Current.CancellationToken));
        Response next = await model.GenerateAsync("Once", new SamplingOptions { MaxTokens = 3 }, TestContext.Current.CancellationToken);

        Assert.Contains("request 1", exception.Message, StringComparison.Ordinal);
        Assert.Contains("context of 12", exception.Message, StringComparison.Ordinal);
        Assert.NotEmpty(next.Text);
    }

    // Weights that are no numbers, as a training that diverged leaves them.
    [Fact]
    public async Task Model_WeightsThatAreNoNumbers_Throws()
    {
        string folder = models.CopyOf(models.Stories);
        byte[] bytes = File.ReadAllBytes(Path.Combine(folder, "model.onnx.data"));
        System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes.AsSpan()).Fill(float.NaN);
        File.WriteAllBytes(Path.Combine(folder, "model.onnx.data"), bytes);
        using OnnxRuntimePolicyModel model = OnnxRuntimePolicyModel.Load(folder);

        await Assert.ThrowsAsync<NonFiniteLogitsException>(() => model.GenerateAsync("Once", cancellationToken: TestContext.Current.CancellationToken));
        await Assert.ThrowsAsync<NonFiniteLogitsException>(() => model.GetLogProbabilitiesAsync([new("Once", " upon a time")], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Members_DisposedModel_Throw()
    {
        OnnxRuntimePolicyModel model = OnnxRuntimePolicyModel.Load(models.Stories);
        model.Dispose();
        model.Dispose();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => model.GenerateAsync("Once", cancellationToken: TestContext.Current.CancellationToken));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => model.GetLogProbabilitiesAsync([new("Once", " upon")], TestContext.Current.CancellationToken));
        Assert.Throws<ObjectDisposedException>(() => { _ = model.GenerateStreamingAsync(new GenerationRequest("Once"), TestContext.Current.CancellationToken); });
    }

    [Fact]
    public async Task AddOnnxRuntime_Container_AnswersAndDisposesTheModel()
    {
        ServiceCollection services = new();
        services.AddAries().AddOnnxRuntime(models.Stories, options => options.ThreadCount = 1);
        ServiceProvider provider = services.BuildServiceProvider();
        IPolicyModel policy = provider.GetRequiredService<IPolicyModel>();

        Response response = await policy.GenerateAsync("Once upon a time", new SamplingOptions { MaxTokens = 4 }, TestContext.Current.CancellationToken);
        await provider.DisposeAsync();

        Assert.NotEmpty(response.Text);
        Assert.Equal(OnnxRuntimePolicyModel.ProviderName, policy.GetService<PolicyModelMetadata>()!.ProviderName);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => policy.GenerateAsync("Once", cancellationToken: TestContext.Current.CancellationToken));
    }

    private static string LoadFailure(string folder, string? adapter) =>
        Assert.Throws<ModelFormatException>(() => OnnxRuntimePolicyModel.Load(folder, new OnnxRuntimePolicyOptions { AdapterPath = adapter })).Message;

    private sealed class WholeHistory(int turnCount) : IRefinementStrategy
    {
        public RefinementStep? NextStep(RefinementTrace trace) =>
            trace.Steps.Count == turnCount ? null : new RefinementStep(trace.Prompt.WithQuestion(string.Join(" Then", trace.Steps.Select(step => step.Text).Prepend(trace.Prompt.Question))));
    }
}
