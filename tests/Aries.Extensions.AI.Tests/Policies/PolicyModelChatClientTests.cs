using Aries.TestKit;
using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI.Tests;

public sealed class PolicyModelChatClientTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task GetResponseAsync_EveryOption_ReachesTheOptionOfItsName()
    {
        using ScriptedPolicyModel policy = new("yes");
        IChatClient client = policy.AsIChatClient(new SamplingOptions { MinP = 0.125f });
        ChatOptions options = new()
        {
            Instructions = "be brief",
            Temperature = 0.25f,
            TopP = 0.5f,
            TopK = 7,
            MaxOutputTokens = 33,
            StopSequences = ["END"],
            Seed = 9,
            ResponseFormat = ChatResponseFormat.Text,
        };

        await client.GetResponseAsync([new(ChatRole.User, "a"), new(ChatRole.Assistant, "b"), new(ChatRole.User, [new TextContent("c"), new TextContent("d")])], options, Token);

        GenerationRequest request = Assert.Single(policy.Requests);
        Assert.Equal(new Prompt([new(PromptRole.System, "be brief"), new(PromptRole.User, "a"), new(PromptRole.Assistant, "b"), new(PromptRole.User, "cd")]), request.Prompt);
        Assert.Equal((0.25f, 0.5f, 7, 0.125f, 33, 9L), (request.Options.Temperature, request.Options.TopP, request.Options.TopK, request.Options.MinP, request.Options.MaxTokens, request.Options.Seed));
        Assert.Equal(["END"], request.Options.StopSequences);
    }

    public static TheoryData<string, ChatOptions> Unsupported => new()
    {
        { nameof(ChatOptions.FrequencyPenalty), new ChatOptions { FrequencyPenalty = 0.5f } },
        { nameof(ChatOptions.PresencePenalty), new ChatOptions { PresencePenalty = 0.5f } },
        { nameof(ChatOptions.Reasoning), new ChatOptions { Reasoning = new ReasoningOptions() } },
        { nameof(ChatOptions.ResponseFormat), new ChatOptions { ResponseFormat = ChatResponseFormat.Json } },
        { nameof(ChatOptions.Tools), new ChatOptions { Tools = [AIFunctionFactory.Create(() => 1, "one")] } },
        { nameof(ChatOptions.ConversationId), new ChatOptions { ConversationId = "c" } },
#pragma warning disable MEAI001 // Going on with an answer is experimental.
        { nameof(ChatOptions.ContinuationToken), new ChatOptions { ContinuationToken = ResponseContinuationToken.FromBytes(new byte[] { 1 }) } },
#pragma warning restore MEAI001
        { nameof(ChatOptions.RawRepresentationFactory), new ChatOptions { RawRepresentationFactory = _ => null } },
        { "aries.refinement.enabled", ((ChatOptions?)null).WithoutRefinement() },
    };

    [Theory]
    [MemberData(nameof(Unsupported))]
    public async Task GetResponseAsync_OptionWithoutEqual_IsRefusedByName(string name, ChatOptions options)
    {
        using ScriptedPolicyModel policy = new("yes");
        IChatClient client = policy.AsIChatClient();

        NotSupportedException exception = await Assert.ThrowsAsync<NotSupportedException>(() => client.GetResponseAsync("x", options, Token));

        Assert.Contains(name, exception.Message, StringComparison.Ordinal);
        Assert.Throws<NotSupportedException>(() => { _ = client.GetStreamingResponseAsync("x", options, Token); });
        Assert.Equal(0, policy.CallCount);
    }

    [Fact]
    public async Task GetResponseAsync_AnotherModelsName_IsRefused()
    {
        using Aries.Managed.ManagedPolicyModel policy = Aries.Managed.ManagedPolicyModel.Load(TestData.Golden("stories260K-hf"));
        IChatClient client = policy.AsIChatClient();
        string own = client.GetService<ChatClientMetadata>()!.DefaultModelId!;

        await Assert.ThrowsAsync<NotSupportedException>(() => client.GetResponseAsync("Once", new ChatOptions { ModelId = "gpt-9" }, Token));
        ChatResponse response = await client.GetResponseAsync("Once", new ChatOptions { ModelId = own, MaxOutputTokens = 4 }, Token);

        Assert.Equal(own, response.ModelId);
        Assert.Equal(4, response.Usage!.OutputTokenCount);
        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
    }

    [Fact]
    public async Task GetResponseAsync_EmptyOrNullOrEndless_Conversation_IsAnArgumentError()
    {
        using ScriptedPolicyModel policy = new("yes");
        IChatClient client = policy.AsIChatClient();

        await Assert.ThrowsAsync<ArgumentNullException>(() => client.GetResponseAsync((IEnumerable<ChatMessage>)null!, null, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetResponseAsync([], null, Token));
        await Assert.ThrowsAsync<ArgumentNullException>(() => client.GetResponseAsync([null!], null, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetResponseAsync([new(ChatRole.Assistant, "I begin")], null, Token));
    }

    [Fact]
    public async Task GetResponseAsync_ContentOrRoleThatIsNoText_IsRefusedByName()
    {
        using ScriptedPolicyModel policy = new("yes");
        IChatClient client = policy.AsIChatClient();

        NotSupportedException picture = await Assert.ThrowsAsync<NotSupportedException>(
            () => client.GetResponseAsync([new(ChatRole.User, [new TextContent("what is it?"), new DataContent(new byte[] { 1 }, "image/png")])], null, Token));
        NotSupportedException tool = await Assert.ThrowsAsync<NotSupportedException>(
            () => client.GetResponseAsync([new(ChatRole.Tool, [new FunctionResultContent("1", 5)]), new(ChatRole.User, "and?")], null, Token));

        Assert.Contains(nameof(DataContent), picture.Message, StringComparison.Ordinal);
        Assert.Contains("tool", tool.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GetResponseAsync_NullText_IsAnEmptyTurn()
    {
        using ScriptedPolicyModel policy = new("yes");

        await policy.AsIChatClient().GetResponseAsync([new(ChatRole.System, (string?)null), new(ChatRole.User, "x")], null, Token);

        Assert.Equal("", policy.Requests[0].Prompt[0].Text);
    }

    [Theory]
    [InlineData(FinishReason.Stop, "stop")]
    [InlineData(FinishReason.Length, "length")]
    [InlineData(FinishReason.ContentFilter, "content_filter")]
    public async Task GetResponseAsync_FinishReasons_AreMappedInBothMethods(FinishReason reason, string expected)
    {
        using ScriptedPolicyModel policy = new((request, _) => ScriptedPolicyModel.Answer(request, "hello", reason));
        IChatClient client = policy.AsIChatClient();

        ChatResponse whole = await client.GetResponseAsync("x", null, Token);
        ChatResponse streamed = await client.GetStreamingResponseAsync("x", null, Token).ToChatResponseAsync(Token);

        Assert.Equal(expected, whole.FinishReason!.Value.Value);
        Assert.Equal(expected, streamed.FinishReason!.Value.Value);
        Assert.Equal("hello", streamed.Text);
        Assert.Equal((1, 5, 6), (streamed.Usage!.InputTokenCount, streamed.Usage.OutputTokenCount, streamed.Usage.TotalTokenCount));
        Assert.Equal(whole.Usage!.TotalTokenCount, streamed.Usage.TotalTokenCount);
    }

    [Fact]
    public async Task GetResponseAsync_FailedResponse_ThrowsItsError()
    {
        using ScriptedPolicyModel policy = new((_, _) => Response.Failed(new TimeZoneNotFoundException()));
        IChatClient client = policy.AsIChatClient();

        await Assert.ThrowsAsync<TimeZoneNotFoundException>(() => client.GetResponseAsync("x", null, Token));
        await Assert.ThrowsAsync<TimeZoneNotFoundException>(async () => await client.GetStreamingResponseAsync("x", null, Token).ToChatResponseAsync(Token));
    }

    [Fact]
    public void GetService_OfThePolicy_PassesThrough()
    {
        using ScriptedPolicyModel policy = new("yes");
        IChatClient client = policy.AsIChatClient();

        Assert.Same(policy, client.GetService<ScriptedPolicyModel>());
        Assert.Same(client, client.GetService<IChatClient>());
        Assert.Null(client.GetService(typeof(IPolicyModel), "key"));
    }
}
