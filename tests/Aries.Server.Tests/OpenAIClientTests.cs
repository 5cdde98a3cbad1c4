using System.ClientModel;
using Aries.TestKit;
using Microsoft.Extensions.AI;
using OpenAI.Chat;
using OpenAI.Models;
using OpenAICompatibleServer;
using ChatFinishReason = OpenAI.Chat.ChatFinishReason;
using ChatMessage = OpenAI.Chat.ChatMessage;

namespace Aries.Server.Tests;

/// <summary>The official OpenAI client and Microsoft.Extensions.AI's against the server, over a socket.</summary>
public sealed class OpenAIClientTests
{
    private static readonly Prompt Prompt = new([new PromptTurn(PromptRole.System, "Be brief."), new PromptTurn(PromptRole.User, "Hi."), new PromptTurn(PromptRole.Assistant, "Hello."), new PromptTurn(PromptRole.User, "Why is the sky blue?")]);
    private static readonly ChatMessage[] Messages = [new SystemChatMessage("Be brief."), new UserChatMessage("Hi."), new AssistantChatMessage("Hello."), new UserChatMessage("Why is the sky blue?")];
    private static readonly SamplingOptions Sampling = new() { Temperature = 0.5f, Seed = 5, MaxTokens = 100 };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

#pragma warning disable OPENAI001 // Seed is marked as experimental in the client.
    private static ChatCompletionOptions Options => new() { Temperature = 0.5f, Seed = 5, MaxOutputTokenCount = 100 };
#pragma warning restore OPENAI001

    [Fact]
    public async Task CompleteChat_WholeAnswer_IsThePolicysOwn()
    {
        using ToyPolicyModel policy = new();
        Response expected = await policy.GenerateAsync(Prompt, Sampling, Token);
        await using RunningServer server = await RunningServer.StartAsync(policy);

        OpenAI.Chat.ChatCompletion answer = await server.OpenAI().GetChatClient("toy").CompleteChatAsync(Messages, Options, Token);

        Assert.Equal(expected.Text, answer.Content[0].Text);
        Assert.Equal(ChatFinishReason.Stop, answer.FinishReason);
        Assert.Equal((expected.Usage.PromptTokens, expected.Usage.ResponseTokens, expected.Usage.TotalTokens), (answer.Usage.InputTokenCount, answer.Usage.OutputTokenCount, answer.Usage.TotalTokenCount));
        Assert.Equal("toy", answer.Model);
        Assert.Equal(ChatMessageRole.Assistant, answer.Role);
    }

    [Fact]
    public async Task CompleteChatStreaming_Updates_JoinToTheWholeAnswer()
    {
        using ScriptedPolicyModel policy = new(text => $"A long answer to {text}");
        Response expected = await policy.GenerateAsync(Prompt, Sampling, Token);
        await using RunningServer server = await RunningServer.StartAsync(policy);

        List<StreamingChatCompletionUpdate> updates = await server.OpenAI().GetChatClient("toy").CompleteChatStreamingAsync(Messages, Options, Token).ToListAsync(Token);

        Assert.Equal(expected.Text, string.Concat(updates.SelectMany(update => update.ContentUpdate).Select(part => part.Text)));
        Assert.Equal(ChatFinishReason.Stop, Assert.Single(updates, update => update.FinishReason is not null).FinishReason);
        Assert.Equal(expected.Usage.TotalTokens, Assert.Single(updates, update => update.Usage is not null).Usage.TotalTokenCount);
        Assert.True(updates.Count(update => update.ContentUpdate.Any(part => part.Text.Length > 0)) > 1, "The answer came in one piece.");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task CompleteChat_RefinedModel_AnswersAsTheRefinerDoes(bool streams)
    {
        using ToyPolicyModel policy = new();
        RefinementTemplate template = new("{question} Draft: {response} Better?");
        RefinementResult expected = await new SelfRefiner(policy, new AriesRefinement(3, template), new SelfRefinerOptions { Sampling = Sampling }).RefineAsync(Prompt, Token);
        await using RunningServer server = await RunningServer.StartAsync(policy, new ServerOptions { Template = template });
        ChatClient client = server.OpenAI().GetChatClient("toy:refined");

        (string text, long tokens) = streams ? await StreamAsync() : await WholeAsync();

        Assert.Equal(expected.Answer, text);
        Assert.Equal(expected.Usage.TotalTokens, tokens);
        Assert.NotEqual(expected.Trace.Steps[0].Text, text);

        async Task<(string, long)> WholeAsync()
        {
            OpenAI.Chat.ChatCompletion answer = await client.CompleteChatAsync(Messages, Options, Token);
            return (answer.Content[0].Text, answer.Usage.TotalTokenCount);
        }

        async Task<(string, long)> StreamAsync()
        {
            List<StreamingChatCompletionUpdate> updates = await client.CompleteChatStreamingAsync(Messages, Options, Token).ToListAsync(Token);
            return (string.Concat(updates.SelectMany(update => update.ContentUpdate).Select(part => part.Text)), updates[^1].Usage.TotalTokenCount);
        }
    }

    [Fact]
    public async Task ExtensionsAI_WholeAndStreamed_GiveThePolicysAnswer()
    {
        using ToyPolicyModel policy = new();
        Response expected = await policy.GenerateAsync("Why is the sky blue?", Sampling, Token);
        await using RunningServer server = await RunningServer.StartAsync(policy);
        using IChatClient client = server.OpenAI().GetChatClient("toy").AsIChatClient();
        ChatOptions options = new() { Temperature = 0.5f, Seed = 5, MaxOutputTokens = 100 };

        ChatResponse whole = await client.GetResponseAsync("Why is the sky blue?", options, Token);
        ChatResponse streamed = await client.GetStreamingResponseAsync("Why is the sky blue?", options, Token).ToChatResponseAsync(Token);

        Assert.Equal(expected.Text, whole.Text);
        Assert.Equal(expected.Text, streamed.Text);
        Assert.Equal(expected.Usage.TotalTokens, whole.Usage!.TotalTokenCount);
        Assert.Equal(expected.Usage.TotalTokens, streamed.Usage!.TotalTokenCount);
        Assert.Equal(Microsoft.Extensions.AI.ChatFinishReason.Stop, streamed.FinishReason);
    }

    [Fact]
    public async Task GetModels_OfficialClient_ListsTheModelAndItsRefinement()
    {
        using ToyPolicyModel policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy);

        OpenAIModelCollection models = await server.OpenAI().GetOpenAIModelClient().GetModelsAsync(Token);

        Assert.Equal(["toy", "toy:refined"], models.Select(model => model.Id));
    }

    [Fact]
    public async Task CompleteChat_WrongKey_Is401AndTheRightOneIsAnswered()
    {
        using ToyPolicyModel policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy, new ServerOptions { ApiKey = "right" });

        ClientResultException wrong = await Assert.ThrowsAsync<ClientResultException>(() => server.OpenAI("wrong").GetChatClient("toy").CompleteChatAsync(Messages, Options, Token));
        OpenAI.Chat.ChatCompletion answer = await server.OpenAI("right").GetChatClient("toy").CompleteChatAsync(Messages, Options, Token);

        Assert.Equal(401, wrong.Status);
        Assert.Contains("invalid_api_key", wrong.Message, StringComparison.Ordinal);
        Assert.NotEmpty(answer.Content[0].Text);
    }

    [Fact]
    public async Task CompleteChat_ServerIsFull_TheClientComesAgainByItself()
    {
        using StepwisePolicy policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy, new ServerOptions { MaxConcurrency = 1, MaxQueueLength = 0 });
        ChatCompletionOptions two = new() { MaxOutputTokenCount = 2 };
        Task<ClientResult<OpenAI.Chat.ChatCompletion>> first = server.OpenAI().GetChatClient("toy").CompleteChatAsync(Messages, two, Token);
        await policy.Started.WaitAsync(Token);

        ClientResultException full = await Assert.ThrowsAsync<ClientResultException>(() => server.OpenAI().GetChatClient("toy").CompleteChatAsync(Messages, two, Token));
        Task<ClientResult<OpenAI.Chat.ChatCompletion>> patient = server.OpenAI(maxRetries: 3).GetChatClient("toy").CompleteChatAsync(Messages, two, Token);
        policy.Allow(4);

        Assert.Equal(429, full.Status);
        Assert.Equal("1", full.GetRawResponse()!.Headers.TryGetValue("Retry-After", out string? after) ? after : null);
        Assert.Equal("t0 t1 ", (await first).Value.Content[0].Text);
        Assert.Equal("t0 t1 ", (await patient).Value.Content[0].Text);
    }
}
