using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI.Tests;

public sealed class ChatClientPolicyModelTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task GenerateAsync_EveryOption_ReachesTheOptionOfItsName()
    {
        ScriptedChatClient client = new("yes");
        using IPolicyModel policy = client.AsPolicyModel(options => options.Template = new ChatOptions { ModelId = "big", Reasoning = new ReasoningOptions() });
        SamplingOptions sampling = new() { Temperature = 0.25f, TopP = 0.5f, TopK = 7, MaxTokens = 33, StopSequences = ["\n\n", "END"], Seed = long.MaxValue };

        await policy.GenerateAsync(new Prompt([new(PromptRole.System, "be brief"), new(PromptRole.User, "a"), new(PromptRole.Assistant, "b"), new(PromptRole.User, "c")]), sampling, Token);

        ChatCall call = Assert.Single(client.Calls);
        Assert.Equal(["system: be brief", "user: a", "assistant: b", "user: c"], call.Messages.Select(message => $"{message.Role}: {message.Text}"));
        Assert.Equal(0.25f, call.Options!.Temperature);
        Assert.Equal(0.5f, call.Options.TopP);
        Assert.Equal(7, call.Options.TopK);
        Assert.Equal(33, call.Options.MaxOutputTokens);
        Assert.Equal(["\n\n", "END"], call.Options.StopSequences);
        Assert.Equal(long.MaxValue, call.Options.Seed);
        Assert.Equal("big", call.Options.ModelId);
        Assert.NotNull(call.Options.Reasoning);
    }

    [Fact]
    public async Task GenerateAsync_OptionsThatAreOff_AreLeftUnsetWhereOffHasNoNumber()
    {
        ScriptedChatClient client = new("yes");
        using IPolicyModel policy = client.AsPolicyModel();

        await policy.GenerateAsync("x", new SamplingOptions(), Token);

        ChatOptions options = client.Calls[0].Options!;
        Assert.Equal(1, options.Temperature); // a service's own default may be another
        Assert.Equal(1, options.TopP);
        Assert.Null(options.TopK);
        Assert.Null(options.StopSequences);
        Assert.Null(options.Seed);
    }

    [Fact]
    public async Task GenerateAsync_OneOptionCannotBeHonoured_NothingIsAsked()
    {
        ScriptedChatClient client = new("yes");
        using IPolicyModel policy = client.AsPolicyModel();

        await Assert.ThrowsAsync<NotSupportedException>(() => policy.GenerateAsync([new("a"), new("b", new SamplingOptions { MinP = 0.5f })], Token));

        Assert.Empty(client.Calls);
    }

    public static TheoryData<string, ChatOptions> SamplingTemplates => new()
    {
        { nameof(ChatOptions.Temperature), new ChatOptions { Temperature = 0 } },
        { nameof(ChatOptions.TopP), new ChatOptions { TopP = 1 } },
        { nameof(ChatOptions.TopK), new ChatOptions { TopK = 5 } },
        { nameof(ChatOptions.MaxOutputTokens), new ChatOptions { MaxOutputTokens = 5 } },
        { nameof(ChatOptions.StopSequences), new ChatOptions { StopSequences = ["x"] } },
        { nameof(ChatOptions.Seed), new ChatOptions { Seed = 5 } },
    };

    [Theory]
    [MemberData(nameof(SamplingTemplates))]
    public void Constructor_TemplateSetsWhatSamplingDecides_IsRefusedByName(string name, ChatOptions template)
    {
        ArgumentException exception = Assert.Throws<ArgumentException>(() => new ChatClientPolicyModel(new ScriptedChatClient("x"), new ChatClientPolicyOptions { Template = template }));

        Assert.Contains(name, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GenerateAsync_OneRequestThrows_FailsAloneAndTheOthersAreAskedOnce()
    {
        IOException failure = new("reset by peer");
        ScriptedChatClient client = new(call => call.Question == "b" ? throw failure : ScriptedChatClient.Answer(call, call.Question + "!"));
        using IPolicyModel policy = client.AsPolicyModel();

        IReadOnlyList<Response> responses = await policy.GenerateAsync([new("a"), new("b"), new("c")], Token);

        Assert.Equal(["a!", "", "c!"], responses.Select(response => response.Text));
        Assert.Equal(FinishReason.Error, responses[1].FinishReason);
        Assert.Same(failure, responses[1].Error);
        Assert.Equal(3, client.Calls.Count);
    }

    // An ArgumentException of a batch would make a collection ask the others again.
    [Fact]
    public async Task GenerateAsync_HistoryLongerThanTheContext_FailsAlone()
    {
        ScriptedChatClient client = new(call => call.Question.Length > 10 ? throw new ArgumentException("the prompt has 12 tokens, the context 10") : ScriptedChatClient.Answer(call, "fine"));
        using IPolicyModel policy = client.AsPolicyModel();

        IReadOnlyList<Response> responses = await policy.GenerateAsync([new("short"), new("much too long")], Token);

        Assert.Equal("fine", responses[0].Text);
        Assert.IsType<ArgumentException>(responses[1].Error);
    }

    [Fact]
    public async Task GenerateAsync_ClientsOwnTimeLimit_IsAFailureAndNoCancellation()
    {
        ScriptedChatClient client = new(_ => throw new TaskCanceledException("HttpClient.Timeout"));
        using IPolicyModel policy = client.AsPolicyModel();

        Response response = await policy.GenerateAsync("x", cancellationToken: Token);

        Assert.IsType<TaskCanceledException>(response.Error);
    }

    [Fact]
    public async Task GenerateAsync_MoreRequestsThanSlots_NeverRunsMoreAtOnce()
    {
        ScriptedChatClient client = new(async (call, token) =>
        {
            await Task.Delay(2, token);
            return ScriptedChatClient.Answer(call, call.Question);
        });
        using IPolicyModel policy = client.AsPolicyModel(options => options.MaxConcurrency = 3);
        GenerationRequest[] requests = [.. Enumerable.Range(0, 30).Select(i => new GenerationRequest($"q{i}"))];

        IReadOnlyList<Response>[] both = await Task.WhenAll(policy.GenerateAsync(requests, Token), policy.GenerateAsync(requests, Token));

        Assert.InRange(client.MostRunning, 1, 3);
        Assert.All(both, responses => Assert.Equal(requests.Select(request => request.Prompt.Question), responses.Select(response => response.Text)));
    }

    [Fact]
    public async Task GenerateAsync_Refusal_IsDataThatAFilterWithheld()
    {
        ScriptedChatClient client = new(_ => new ChatResponse(new ChatMessage(ChatRole.Assistant, [new ErrorContent("I cannot help with that.") { ErrorCode = "Refusal" }])) { FinishReason = ChatFinishReason.Stop });
        using IPolicyModel policy = client.AsPolicyModel();

        Response response = await policy.GenerateAsync("x", cancellationToken: Token);

        Assert.Equal("", response.Text);
        Assert.Equal(FinishReason.ContentFilter, response.FinishReason);
        Assert.Null(response.Error);
    }

    [Fact]
    public async Task GenerateAsync_ErrorOfTheService_FailsWithItsCode()
    {
        ScriptedChatClient client = new(_ => new ChatResponse(new ChatMessage(ChatRole.Assistant, [new TextContent("half"), new ErrorContent("out of memory") { ErrorCode = "E42" }])));
        using IPolicyModel policy = client.AsPolicyModel();

        Response response = await policy.GenerateAsync("x", cancellationToken: Token);

        ChatServiceException error = Assert.IsType<ChatServiceException>(response.Error);
        Assert.Equal("E42", error.Code);
        Assert.Contains("out of memory", error.Message, StringComparison.Ordinal);
        Assert.Equal("half", response.Text);
    }

    [Fact]
    public async Task GenerateAsync_ToolCall_FailsAndNamesIt()
    {
        ScriptedChatClient client = new(_ => new ChatResponse(new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("1", "f")])) { FinishReason = ChatFinishReason.ToolCalls });
        using IPolicyModel policy = client.AsPolicyModel();

        Response response = await policy.GenerateAsync("x", cancellationToken: Token);

        Assert.Contains(nameof(FunctionCallContent), Assert.IsType<ChatServiceException>(response.Error).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, FinishReason.Stop)]
    [InlineData("stop", FinishReason.Stop)]
    [InlineData("length", FinishReason.Length)]
    [InlineData("content_filter", FinishReason.ContentFilter)]
    [InlineData("eos_token", FinishReason.Stop)]
    [InlineData("balance_exhausted", FinishReason.Error)]
    public async Task GenerateAsync_FinishReasons_AreMappedOrFail(string? word, FinishReason expected)
    {
        ScriptedChatClient client = new(call => new ChatResponse(new ChatMessage(ChatRole.Assistant, "x")) { FinishReason = word is null ? null : new ChatFinishReason(word) });
        using IPolicyModel policy = client.AsPolicyModel(options => options.FinishReasons = new Dictionary<string, FinishReason> { ["eos_token"] = FinishReason.Stop });

        Response response = await policy.GenerateAsync("x", cancellationToken: Token);

        Assert.Equal(expected, response.FinishReason);
        Assert.Equal(expected == FinishReason.Error ? word : null, (response.Error as ChatServiceException)?.Code);
    }

    [Theory]
    [InlineData(-5, 7, 0, 0, 7, 0)]
    [InlineData(5, long.MaxValue, 0, 5, 0, 0)]
    [InlineData(long.MinValue, long.MinValue, long.MinValue, 0, 0, 0)]
    [InlineData(5, 7, 6, 5, 7, 0)]
    [InlineData(5, 7, 3, 5, 7, 3)]
    public async Task GenerateAsync_UsageThatCannotBe_IsTakenAsNotReported(long input, long output, long cached, long promptTokens, long responseTokens, long cachedTokens)
    {
        ScriptedChatClient client = new(_ => new ChatResponse(new ChatMessage(ChatRole.Assistant, "x"))
        {
            Usage = new UsageDetails { InputTokenCount = input, OutputTokenCount = output, CachedInputTokenCount = cached },
        });
        using IPolicyModel policy = client.AsPolicyModel();

        Response response = await policy.GenerateAsync("x", cancellationToken: Token);

        Assert.Equal(new TokenUsage(promptTokens, responseTokens, cachedTokens), response.Usage);
    }

    [Fact]
    public async Task GenerateAsync_NothingAtAll_IsAnEmptyResponse()
    {
        using IPolicyModel empty = new ScriptedChatClient(_ => new ChatResponse()).AsPolicyModel();
        using IPolicyModel nothing = new ScriptedChatClient(_ => null!).AsPolicyModel();

        Assert.Equal(("", FinishReason.Stop), ((await empty.GenerateAsync("x", cancellationToken: Token)).Text, (await empty.GenerateAsync("x", cancellationToken: Token)).FinishReason));
        Assert.IsType<ChatServiceException>((await nothing.GenerateAsync("x", cancellationToken: Token)).Error);
    }

    [Fact]
    public async Task GenerateStreamingAsync_CutStream_EndsWithAFailureThatHoldsTheText()
    {
        IOException cut = new("the response ended prematurely");
        using IPolicyModel policy = new ScriptedChatClient("abcdef") { CutStream = _ => cut }.AsPolicyModel();

        List<ResponseUpdate> updates = await policy.GenerateStreamingAsync(new("x"), Token).ToListAsync(Token);

        Assert.Equal("abc", string.Concat(updates.Select(update => update.Text)));
        Assert.Equal("abc", updates[^1].Response!.Text);
        Assert.Same(cut, updates[^1].Response!.Error);
    }

    [Fact]
    public async Task GenerateStreamingAsync_Usage_IsThatOfTheStream()
    {
        using IPolicyModel policy = new ScriptedChatClient("abcdef").AsPolicyModel();

        ResponseUpdate last = await policy.GenerateStreamingAsync(new("xyz"), Token).LastAsync(Token);

        Assert.Equal(new TokenUsage(3, 6), last.Response!.Usage);
        Assert.Equal(FinishReason.Stop, last.Response.FinishReason);
    }

    [Fact]
    public async Task GenerateAsync_CancelledWhileTheClientHangs_Throws()
    {
        using CancellationTokenSource source = new();
        ScriptedChatClient client = new(async (call, token) =>
        {
            await source.CancelAsync();
            await Task.Delay(Timeout.Infinite, token);
            return ScriptedChatClient.Answer(call, "never");
        });
        using IPolicyModel policy = client.AsPolicyModel();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => policy.GenerateAsync([new("a"), new("b")], source.Token));
    }

    [Fact]
    public void GetService_OfTheClient_PassesThrough()
    {
        ScriptedChatClient client = new("x");
        using IPolicyModel policy = client.AsPolicyModel();

        Assert.Same(client, policy.GetService<IChatClient>());
        Assert.Same(client.Metadata, policy.GetService<ChatClientMetadata>());
        Assert.Equal(("scripted", "script-1"), (policy.GetService<PolicyModelMetadata>()!.ProviderName, policy.GetService<PolicyModelMetadata>()!.ModelId));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Dispose_Client_IsDisposedWhereItIsOwned(bool isOwned)
    {
        ScriptedChatClient client = new("x");

        new ChatClientPolicyModel(client, ownsClient: isOwned).Dispose();

        Assert.Equal(isOwned, client.IsDisposed);
    }
}
