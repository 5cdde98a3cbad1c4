using System.ClientModel;
using System.ClientModel.Primitives;
using System.Net;
using System.Net.Sockets;
using Aries.Extensions.AI;
using Aries.TestKit;
using OpenAI;
using OpenAI.Chat;
using OpenAICompatibleServer;
using ChatCompletion = OpenAI.Chat.ChatCompletion;

namespace Aries.Server.Tests;

/// <summary>What the resilience of chat clients reads, without a reference to it, of the exceptions that the official OpenAI client throws.</summary>
public sealed class ClientFailureTests
{
    private const string Now = "Sat, 01 Jan 2000 00:00:00 GMT";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ServerIsFull_MayPassAndSaysWhen()
    {
        using StepwisePolicy policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy, new ServerOptions { MaxConcurrency = 1, MaxQueueLength = 0 });
        Task<ClientResult<ChatCompletion>> first = AskAsync(server.OpenAI());
        await policy.Started.WaitAsync(Token);

        ClientResultException full = await Assert.ThrowsAsync<ClientResultException>(() => AskAsync(server.OpenAI()));
        policy.Allow(1000);
        await first;

        Assert.True(ChatResilienceOptions.IsTransientFailure(full));
        Assert.Equal(TimeSpan.FromSeconds(1), new ChatResilienceOptions().RetryAfter(full));
    }

    [Fact]
    public async Task WrongKey_WillNotPass()
    {
        using ToyPolicyModel policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy, new ServerOptions { ApiKey = "right" });

        ClientResultException wrong = await Assert.ThrowsAsync<ClientResultException>(() => AskAsync(server.OpenAI("wrong")));

        Assert.False(ChatResilienceOptions.IsTransientFailure(wrong));
        Assert.Null(ChatResilienceOptions.ReadRetryAfter(wrong));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task NobodyListens_MayPass(int retries)
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Uri address = new($"http://{listener.LocalEndpoint}/v1");
        listener.Stop();
        OpenAIClient client = new(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = address, RetryPolicy = new ClientRetryPolicy(retries) });

        Exception exception = await Assert.ThrowsAnyAsync<Exception>(() => AskAsync(client));

        Assert.True(ChatResilienceOptions.IsTransientFailure(exception), $"{exception.GetType().Name} is not taken for one that may pass.");
        Assert.Null(ChatResilienceOptions.ReadRetryAfter(exception));
    }

    [Theory]
    [InlineData("7", 7)]
    [InlineData("Sat, 01 Jan 2000 00:00:30 GMT", 30)]
    [InlineData("Fri, 31 Dec 1999 23:59:00 GMT", 0)]
    [InlineData("soon", null)]
    [InlineData("-1", null)]
    [InlineData(null, null)]
    public void ReadRetryAfter_EachForm_IsRead(string? value, int? seconds) =>
        Assert.Equal(seconds, ChatResilienceOptions.ReadRetryAfter(new ClientResultException(new FakeResponse(503, value)))?.TotalSeconds);

    [Theory]
    [InlineData(400, false)]
    [InlineData(408, true)]
    [InlineData(429, true)]
    [InlineData(500, true)]
    [InlineData(529, true)]
    public void IsTransientFailure_Status_Decides(int status, bool expected)
    {
        ClientResultException failure = new(new FakeResponse(status, null));

        Assert.Equal(expected, ChatResilienceOptions.IsTransientFailure(failure));
        Assert.Equal(expected, ChatResilienceOptions.IsTransientFailure(new AggregateException(new IOException("reset"), failure)));
    }

    private static Task<ClientResult<ChatCompletion>> AskAsync(OpenAIClient client) =>
        client.GetChatClient("toy").CompleteChatAsync([new UserChatMessage("Q")], new ChatCompletionOptions { MaxOutputTokenCount = 2 }, Token);

    private sealed class FakeResponse(int status, string? retryAfter) : PipelineResponse
    {
        public override int Status => status;

        public override string ReasonPhrase => "";

        public override Stream? ContentStream { get; set; }

        public override BinaryData Content => BinaryData.FromString("");

        protected override PipelineResponseHeaders HeadersCore => new FakeHeaders(retryAfter);

        public override BinaryData BufferContent(CancellationToken cancellationToken = default) => Content;

        public override ValueTask<BinaryData> BufferContentAsync(CancellationToken cancellationToken = default) => new(Content);

        public override void Dispose()
        {
        }
    }

    private sealed class FakeHeaders(string? retryAfter) : PipelineResponseHeaders
    {
        public override bool TryGetValue(string name, out string? value)
        {
            value = name == "Retry-After" ? retryAfter : name == "Date" ? Now : null;
            return value is not null;
        }

        public override bool TryGetValues(string name, out IEnumerable<string>? values)
        {
            values = TryGetValue(name, out string? value) ? [value!] : null;
            return values is not null;
        }

        public override IEnumerator<KeyValuePair<string, string>> GetEnumerator() => Enumerable.Empty<KeyValuePair<string, string>>().GetEnumerator();
    }
}
