using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Aries.TestKit;
using OpenAICompatibleServer;

namespace Aries.Server.Tests;

/// <summary>What the server does with requests that are wrong, many, given up or cut off by its end.</summary>
public sealed class ServerTests
{
    private const string Ask = """{"model": "toy", "messages": [{"role": "user", "content": "Q"}]}""";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("{", 400, null, "invalid_json")]
    [InlineData("null", 400, null, null)]
    [InlineData("[1]", 400, null, "invalid_json")]
    [InlineData("""{"model": "toy", "messages": "Q"}""", 400, "messages", "invalid_json")]
    [InlineData("""{"messages": [{"role": "user", "content": "Q"}]}""", 400, "model", null)]
    [InlineData("""{"model": "other", "messages": [{"role": "user", "content": "Q"}]}""", 404, "model", "model_not_found")]
    [InlineData("""{"model": "toy"}""", 400, "messages", null)]
    [InlineData("""{"model": "toy", "messages": []}""", 400, "messages", null)]
    [InlineData("""{"model": "toy", "messages": [null]}""", 400, "messages[0].role", "invalid_value")]
    [InlineData("""{"model": "toy", "messages": [{"role": "user", "content": null}]}""", 400, "messages[0].content", null)]
    [InlineData("""{"model": "toy", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}""", 400, "messages[0].content", "unsupported_value")]
    [InlineData("""{"model": "toy", "messages": [{"role": "user", "content": "Q", "name": "Tom"}]}""", 400, "messages[0].name", "unsupported_parameter")]
    [InlineData("""{"model": "toy", "messages": [{"role": "tool", "content": "Q"}]}""", 400, "messages[0].role", "invalid_value")]
    [InlineData("""{"model": "toy", "messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}""", 400, "messages[1].role", null)]
    [InlineData("""{"temperature": -1, ASK""", 400, "temperature", "invalid_value")]
    [InlineData("""{"top_p": 0, ASK""", 400, "top_p", "invalid_value")]
    [InlineData("""{"max_tokens": 0, ASK""", 400, "max_tokens", "invalid_value")]
    [InlineData("""{"max_tokens": 5, "max_completion_tokens": 6, ASK""", 400, "max_tokens", null)]
    [InlineData("""{"n": 0, ASK""", 400, "n", null)]
    [InlineData("""{"n": 100000, ASK""", 400, "n", null)]
    [InlineData("""{"n": "two", ASK""", 400, "n", "invalid_json")]
    [InlineData("""{"stop": [1], ASK""", 400, "stop", null)]
    [InlineData("""{"stop": "", ASK""", 400, "stop", "invalid_value")]
    [InlineData("""{"logprobs": true, ASK""", 400, "logprobs", "unsupported_parameter")]
    [InlineData("""{"frequency_penalty": 0.5, ASK""", 400, "frequency_penalty", "unsupported_parameter")]
    [InlineData("""{"tools": [{"type": "function"}], ASK""", 400, "tools", "unsupported_parameter")]
    [InlineData("""{"response_format": {"type": "json_object"}, ASK""", 400, "response_format", "unsupported_parameter")]
    [InlineData("""{"response_format": {"type": 5}, ASK""", 400, "response_format", "unsupported_parameter")]
    [InlineData("""{"model": "toy", "messages": [{"role": "user", "content": "\ud800"}]}""", 400, null, "invalid_json")]
    [InlineData("""{"no_such_thing": "x", ASK""", 400, "no_such_thing", "unsupported_parameter")]
    [InlineData("""{"stream_options": {"include_usage": true}, ASK""", 400, "stream_options", null)]
    public async Task Post_WrongRequest_IsAnErrorInOpenAIsFormAndTheServerLives(string body, int status, string? param, string? code)
    {
        using ToyPolicyModel policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy);

        using HttpResponseMessage response = await server.PostAsync(body.Replace("ASK", Ask[1..], StringComparison.Ordinal), cancellationToken: Token);
        using HttpResponseMessage next = await server.PostAsync(Ask, cancellationToken: Token);

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(("invalid_request_error", param, code), await RunningServer.ReadErrorAsync(response) is var (_, type, givenParam, givenCode) ? (type, givenParam, givenCode) : default);
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
    }

    [Theory]
    [InlineData("GET", "chat/completions", 405, "method_not_allowed")]
    [InlineData("POST", "embeddings", 404, "unknown_url")]
    public async Task Send_OtherPathOrMethod_IsAnErrorInOpenAIsForm(string method, string path, int status, string code)
    {
        using ToyPolicyModel policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy);

        using HttpRequestMessage request = new(new HttpMethod(method), path);
        using HttpResponseMessage response = await server.Http.SendAsync(request, Token);

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(code, (await RunningServer.ReadErrorAsync(response)).Code);
    }

    // What asks for nothing is written out by many clients.
    [Fact]
    public async Task Post_ParametersThatAskForNothing_AreTaken()
    {
        using ToyPolicyModel policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy);

        using HttpResponseMessage response = await server.PostAsync(
            """{"frequency_penalty": 0, "presence_penalty": 0.0, "logprobs": false, "tools": [], "logit_bias": {}, "store": false, "user": "u", "stop": null, "response_format": {"type": "text"}, "service_tier": "auto", """ + Ask[1..],
            cancellationToken: Token);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task Post_EveryOption_ReachesThePolicy()
    {
        using ScriptedPolicyModel policy = new("A");
        await using RunningServer server = await RunningServer.StartAsync(policy);

        using HttpResponseMessage response = await server.PostAsync(
            """{"temperature": 0.5, "top_p": 0.9, "top_k": 7, "min_p": 0.1, "repetition_penalty": 1.5, "max_completion_tokens": 33, "stop": ["x", "y"], "seed": 5, "n": 2, """
            + """ "model": "toy", "messages": [{"role": "developer", "content": "S"}, {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]}""",
            cancellationToken: Token);
        JsonElement body = await response.Content.ReadFromJsonAsync<JsonElement>(Token);

        Assert.Equal([0, 1], body.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("index").GetInt32()));
        Assert.Equal([5L, 6L], policy.Requests.Select(request => request.Options.Seed!.Value));
        SamplingOptions options = policy.Requests[0].Options;
        Assert.Equal((0.5f, 0.9f, 7, 0.1f, 1.5f, 33), (options.Temperature, options.TopP, options.TopK, options.MinP, options.RepetitionPenalty, options.MaxTokens));
        Assert.Equal(["x", "y"], options.StopSequences);
        Assert.Equal(new Prompt([new PromptTurn(PromptRole.System, "S"), new PromptTurn(PromptRole.User, "ab")]), policy.Requests[0].Prompt);
        Assert.Equal([2], policy.BatchSizes);
    }

    [Fact]
    public async Task Post_StreamOfTwoChoices_EachEndsAndUsageIsTheirSum()
    {
        using ToyPolicyModel policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy);

        using HttpResponseMessage streamed = await server.PostAsync("""{"stream": true, "stream_options": {"include_usage": true}, "n": 2, "seed": 1, """ + Ask[1..], cancellationToken: Token);
        using HttpResponseMessage whole = await server.PostAsync("""{"n": 2, "seed": 1, """ + Ask[1..], cancellationToken: Token);
        (List<JsonElement> events, bool isDone) = await ReadEventsAsync(streamed);
        JsonElement expected = await whole.Content.ReadFromJsonAsync<JsonElement>(Token);

        Assert.True(isDone);
        Assert.Equal("text/event-stream", streamed.Content.Headers.ContentType!.MediaType);
        foreach (JsonElement choice in expected.GetProperty("choices").EnumerateArray())
        {
            JsonElement[] own = [.. events.SelectMany(item => item.GetProperty("choices").EnumerateArray()).Where(part => part.GetProperty("index").GetInt32() == choice.GetProperty("index").GetInt32())];
            Assert.Equal(choice.GetProperty("message").GetProperty("content").GetString(), string.Concat(own.Select(part => part.GetProperty("delta").TryGetProperty("content", out JsonElement text) ? text.GetString() : "")));
            Assert.Equal("stop", own[^1].GetProperty("finish_reason").GetString());
            Assert.All(own[..^1], part => Assert.Equal(JsonValueKind.Null, part.GetProperty("finish_reason").ValueKind));
        }

        Assert.Equal(expected.GetProperty("usage").GetRawText(), events[^1].GetProperty("usage").GetRawText());
        Assert.Empty(events[^1].GetProperty("choices").EnumerateArray());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Post_BodyIsTooLarge_Is413(bool isChunked)
    {
        using ToyPolicyModel policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy, new ServerOptions { MaxRequestBytes = 1000 });
        using HttpRequestMessage message = new(HttpMethod.Post, "chat/completions") { Content = new StringContent(Ask.Replace("Q", new string('q', 5000), StringComparison.Ordinal)) };
        message.Headers.TransferEncodingChunked = isChunked;

        using HttpResponseMessage response = await server.Http.SendAsync(message, Token);
        using HttpResponseMessage next = await server.PostAsync(Ask, cancellationToken: Token);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Equal("request_too_large", (await RunningServer.ReadErrorAsync(response)).Code);
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer wrong")]
    [InlineData("Bearer righ")]
    [InlineData("right")]
    public async Task Send_WithoutTheKey_Is401(string? authorization)
    {
        using ToyPolicyModel policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy, new ServerOptions { ApiKey = "right" });
        using HttpRequestMessage message = new(HttpMethod.Get, "models");
        if (authorization is not null)
        {
            message.Headers.TryAddWithoutValidation("Authorization", authorization);
        }

        using HttpResponseMessage response = await server.Http.SendAsync(message, Token);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("invalid_api_key", (await RunningServer.ReadErrorAsync(response)).Code);
    }

    // A page whose name was pointed at this machine is of one origin with the server, and would read its answers: only the Host header tells.
    [Theory]
    [InlineData("evil.example", null, HttpStatusCode.BadRequest)]
    [InlineData("localhost.evil.example", null, HttpStatusCode.BadRequest)]
    [InlineData("192.168.1.2", null, HttpStatusCode.BadRequest)]
    [InlineData("localhost", null, HttpStatusCode.OK)]
    [InlineData("127.0.0.1", null, HttpStatusCode.OK)]
    [InlineData("[::1]", null, HttpStatusCode.OK)]
    [InlineData("models.example", "right", HttpStatusCode.OK)]
    public async Task Send_HostThatIsNotThisMachine_IsRefusedWhereNoKeyIsAskedFor(string host, string? key, HttpStatusCode expected)
    {
        using ToyPolicyModel policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy, new ServerOptions { ApiKey = key });
        using HttpRequestMessage message = new(HttpMethod.Get, "models");
        message.Headers.Host = $"{host}:{server.Http.BaseAddress!.Port}";
        message.Headers.Authorization = key is null ? null : new("Bearer", key);

        using HttpResponseMessage response = await server.Http.SendAsync(message, Token);

        Assert.Equal(expected, response.StatusCode);
        Assert.Equal(expected != HttpStatusCode.OK, (await response.Content.ReadAsStringAsync(Token)).Contains("Invalid Hostname", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Post_ThePolicyFails_Is500WithoutItsInnerMessageAndTheServerLives()
    {
        using ScriptedPolicyModel policy = new("A") { FailAtCall = 0, Failure = new InvalidOperationException("/secret/path") };
        await using RunningServer server = await RunningServer.StartAsync(policy);

        using HttpResponseMessage response = await server.PostAsync(Ask, cancellationToken: Token);
        using HttpResponseMessage next = await server.PostAsync(Ask, cancellationToken: Token);
        (string message, string type, _, _) = await RunningServer.ReadErrorAsync(response);

        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Equal("server_error", type);
        Assert.DoesNotContain("secret", message, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Post_PromptThatThePolicyRefuses_Is400EvenForAStream(bool streams)
    {
        using ScriptedPolicyModel policy = new("A") { FailAtCall = 0, Failure = new ArgumentException("The prompt has 300 tokens, but the context holds 256.") };
        await using RunningServer server = await RunningServer.StartAsync(policy);

        using HttpResponseMessage response = await server.PostAsync($$"""{"stream": {{(streams ? "true" : "false")}}, """ + Ask[1..], cancellationToken: Token);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("256", (await RunningServer.ReadErrorAsync(response)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Post_TwoHundredStreamsAtOnce_EachGetsItsOwnText()
    {
        using ScriptedPolicyModel policy = new(text => $"Here is a long answer to {text}, as it comes in pieces.");
        await using RunningServer server = await RunningServer.StartAsync(policy);
        string[] bodies = [.. Enumerable.Range(0, 200).Select(i => """{"stream": true, """ + Ask[1..].Replace("Q", $"question {i}", StringComparison.Ordinal))];

        // All streams are open before the first one is read.
        HttpResponseMessage[] responses = await Task.WhenAll(bodies.Select(body => server.PostAsync(body, untilEnd: false, Token)));
        (List<JsonElement> Events, bool IsDone)[] streams = await Task.WhenAll(responses.Select(ReadEventsAsync));

        Assert.All(streams, stream => Assert.True(stream.IsDone));
        Assert.Equal(Enumerable.Range(0, 200).Select(i => $"Here is a long answer to question {i}, as it comes in pieces."), streams.Select(stream => TextOf(stream.Events)));
        Assert.Equal(200, policy.CallCount);
    }

    [Fact]
    public async Task Post_ManyWholeRequests_AreComputedTogether()
    {
        using ScriptedPolicyModel scripted = new(text => "re " + text) { Delay = TimeSpan.FromMilliseconds(20) };
        using BatchingPolicyModel policy = new(scripted);
        await using RunningServer server = await RunningServer.StartAsync(policy);

        HttpResponseMessage[] responses = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => server.PostAsync(Ask.Replace("Q", $"{i}", StringComparison.Ordinal), cancellationToken: Token)));

        for (int i = 0; i < responses.Length; i++)
        {
            JsonElement body = await responses[i].Content.ReadFromJsonAsync<JsonElement>(Token);
            Assert.Equal($"re {i}", body.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        }

        Assert.Equal(64, scripted.BatchSizes.Sum());
        Assert.True(scripted.BatchSizes.Max() > 1, "No two requests shared a pass.");
        Assert.Equal(1, scripted.MaxConcurrency);
    }

    [Fact]
    public async Task Post_ClientDisconnectsFromAStream_TheGenerationEndsWithinOneToken()
    {
        using StepwisePolicy policy = new() { RunsFreely = true };
        await using RunningServer server = await RunningServer.StartAsync(policy);
        HttpResponseMessage response = await server.PostAsync("""{"stream": true, "max_tokens": 1000000, """ + Ask[1..], untilEnd: false, Token);
        Stream stream = await response.Content.ReadAsStreamAsync(Token);
        byte[] buffer = new byte[1];
        await stream.ReadExactlyAsync(buffer, Token);

        response.Dispose();
        await policy.Ended.WaitAsync(TimeSpan.FromSeconds(30), Token);

        Assert.InRange(policy.TokenCount, 1, 999_999);
        Assert.InRange(policy.CountAfterCancellation, 0, 1);
    }

    [Fact]
    public async Task Post_ClientDisconnectsFromAWholeAnswer_TheGenerationEndsWithinOneToken()
    {
        using StepwisePolicy stepwise = new() { RunsFreely = true };
        using BatchingPolicyModel policy = new(stepwise);
        await using RunningServer server = await RunningServer.StartAsync(policy);
        using CancellationTokenSource source = new();
        Task<HttpResponseMessage> call = server.PostAsync("""{"max_tokens": 1000000, """ + Ask[1..], cancellationToken: source.Token);
        await stepwise.Started.WaitAsync(Token);

        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await stepwise.Ended.WaitAsync(TimeSpan.FromSeconds(30), Token);

        Assert.InRange(stepwise.CountAfterCancellation, 0, 1);
    }

    [Fact]
    public async Task Stop_WithinTheGrace_ARunningStreamEndsWhole()
    {
        using StepwisePolicy policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy);
        using HttpResponseMessage response = await StartStreamAsync(server, policy);

        Task stop = server.StopAsync();
        policy.Allow(2);
        (List<JsonElement> events, bool isDone) = await ReadEventsAsync(response);
        await stop;

        Assert.True(isDone);
        Assert.Equal("t0 t1 t2 ", TextOf(events));
        await Assert.ThrowsAsync<HttpRequestException>(() => server.PostAsync(Ask, cancellationToken: Token));
    }

    [Fact]
    public async Task Stop_AfterTheGrace_ARunningStreamIsTold()
    {
        using StepwisePolicy policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy, new ServerOptions { ShutdownGrace = TimeSpan.Zero });
        using HttpResponseMessage response = await StartStreamAsync(server, policy);

        Task stop = server.StopAsync();
        (List<JsonElement> events, bool isDone) = await ReadEventsAsync(response);
        await stop;

        Assert.False(isDone);
        Assert.Equal("server_shutting_down", RunningServer.ReadError(events[^1]).Code);
        Assert.Equal(0, policy.CountAfterCancellation);
    }

    [Fact]
    public async Task Stop_AfterTheGrace_AWholeAnswerIs503()
    {
        using StepwisePolicy policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy, new ServerOptions { ShutdownGrace = TimeSpan.Zero });
        Task<HttpResponseMessage> call = server.PostAsync(Ask, cancellationToken: Token);
        await policy.Started.WaitAsync(Token);

        Task stop = server.StopAsync();
        using HttpResponseMessage response = await call;
        await stop;

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("server_shutting_down", (await RunningServer.ReadErrorAsync(response)).Code);
    }

    [Fact]
    public void Create_OptionOutOfRange_ThrowsBeforeAnyRequest()
    {
        using ToyPolicyModel policy = new();
        ServerOptions[] wrong =
        [
            new() { Port = 70_000 },
            new() { TurnCount = 0 },
            new() { MaxConcurrency = 0 },
            new() { MaxQueueLength = -1 },
            new() { MaxRequestBytes = 0 },
            new() { ShutdownGrace = TimeSpan.FromSeconds(-1) },
        ];

        Assert.All(wrong, options => Assert.Throws<ArgumentOutOfRangeException>(() => ServerApplication.Create(policy, options)));
    }

    [Fact]
    public async Task Post_StreamFailsInItsMiddle_ItsLastEventSaysSo()
    {
        using FailingStream policy = new();
        await using RunningServer server = await RunningServer.StartAsync(policy);

        using HttpResponseMessage response = await server.PostAsync("""{"stream": true, """ + Ask[1..], cancellationToken: Token);
        (List<JsonElement> events, bool isDone) = await ReadEventsAsync(response);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.False(isDone);
        Assert.Equal("half ", TextOf(events[..^1]));
        Assert.Equal("server_error", RunningServer.ReadError(events[^1]).Type);
    }

    private static async Task<HttpResponseMessage> StartStreamAsync(RunningServer server, StepwisePolicy policy)
    {
        policy.Allow(1);
        return await server.PostAsync("""{"stream": true, "max_tokens": 3, """ + Ask[1..], untilEnd: false, Token);
    }

    private static async Task<(List<JsonElement> Events, bool IsDone)> ReadEventsAsync(HttpResponseMessage response)
    {
        List<JsonElement> events = [];
        bool isDone = false;
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync(Token));
        while (await reader.ReadLineAsync(Token) is { } line)
        {
            if (line.Length == 0)
            {
                continue;
            }

            Assert.StartsWith("data: ", line, StringComparison.Ordinal);
            Assert.False(isDone, "Something follows [DONE].");
            if (line == "data: [DONE]")
            {
                isDone = true;
            }
            else
            {
                events.Add(JsonElement.Parse(line.AsSpan(6)));
            }
        }

        return (events, isDone);
    }

    private static string TextOf(IEnumerable<JsonElement> events) => string.Concat(events
        .SelectMany(item => item.GetProperty("choices").EnumerateArray())
        .Select(choice => choice.GetProperty("delta").TryGetProperty("content", out JsonElement text) ? text.GetString() : ""));

    private sealed class FailingStream : IPolicyModel
    {
        public Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public async IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            yield return new ResponseUpdate { Text = "half " };
            await Task.Yield();
            throw new InvalidOperationException("broken");
        }

        public void Dispose()
        {
        }
    }
}
