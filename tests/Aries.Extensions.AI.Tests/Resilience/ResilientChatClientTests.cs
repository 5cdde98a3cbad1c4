using System.Net;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Time.Testing;
using Polly.CircuitBreaker;

namespace Aries.Extensions.AI.Tests;

public sealed class ResilientChatClientTests
{
    private readonly FakeTimeProvider _time = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task GetResponseAsync_PassingFailures_AreRepeatedWithLongerWaits()
    {
        List<DateTimeOffset> at = [];
        ScriptedChatClient inner = new(call =>
        {
            at.Add(_time.GetUtcNow());
            return call.Index < 3 ? throw new HttpRequestException("busy", null, HttpStatusCode.ServiceUnavailable) : ScriptedChatClient.Answer(call, "yes");
        });
        using ResilientChatClient client = new(inner, new ChatResilienceOptions { BaseDelay = TimeSpan.FromSeconds(1) }, _time);

        ChatResponse response = await RunAsync(client.GetResponseAsync("x", null, Token));

        Assert.Equal("yes", response.Text);
        Assert.Equal(4, at.Count);
        Assert.True(at[3] - at[0] > TimeSpan.FromSeconds(1.5), $"Three waits took {at[3] - at[0]}.");
    }

    [Fact]
    public async Task GetResponseAsync_RetryAfter_IsWaitedFor()
    {
        List<DateTimeOffset> at = [];
        ScriptedChatClient inner = new(call =>
        {
            at.Add(_time.GetUtcNow());
            return call.Index == 0 ? throw TooMany(seconds: 37) : ScriptedChatClient.Answer(call, "yes");
        });
        using ResilientChatClient client = new(inner, new ChatResilienceOptions { RetryAfter = ReadRetryAfter }, _time);

        await RunAsync(client.GetResponseAsync("x", null, Token));

        Assert.InRange(at[1] - at[0], TimeSpan.FromSeconds(37), TimeSpan.FromSeconds(38));
    }

    [Fact]
    public async Task GetResponseAsync_RetryAfterBeyondTheLimit_FailsAtOnce()
    {
        ScriptedChatClient inner = new(_ => throw TooMany(seconds: 3600));
        using ResilientChatClient client = new(inner, new ChatResilienceOptions { RetryAfter = ReadRetryAfter }, _time);

        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetResponseAsync("x", null, Token));

        Assert.Single(inner.Calls);
    }

    [Theory]
    [InlineData(HttpStatusCode.BadRequest)]
    [InlineData(HttpStatusCode.Unauthorized)]
    public async Task GetResponseAsync_FailureThatWillNotPass_IsThrownAtOnce(HttpStatusCode status)
    {
        ScriptedChatClient inner = new(_ => throw new HttpRequestException("no", null, status));
        using ResilientChatClient client = new(inner, null, _time);

        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetResponseAsync("x", null, Token));

        Assert.Single(inner.Calls);
    }

    [Fact]
    public async Task GetResponseAsync_EveryAttemptFails_ThrowsTheLastAsItIs()
    {
        ScriptedChatClient inner = new(call => throw new IOException($"cut {call.Index}"));
        using ResilientChatClient client = new(inner, new ChatResilienceOptions { RetryCount = 2 }, _time);

        IOException exception = await Assert.ThrowsAsync<IOException>(() => RunAsync(client.GetResponseAsync("x", null, Token)));

        Assert.Equal("cut 2", exception.Message);
    }

    // The client looks at no token, and never answers.
    [Fact]
    public async Task GetResponseAsync_ClientThatHangs_IsLeftBehindAndNamedByItsLimit()
    {
        ScriptedChatClient inner = new((_, _) => new TaskCompletionSource<ChatResponse>().Task);
        using ResilientChatClient client = new(inner, new ChatResilienceOptions { RetryCount = 1, CallTimeout = TimeSpan.FromSeconds(20) }, _time);

        TimeoutException exception = await Assert.ThrowsAsync<TimeoutException>(() => RunAsync(client.GetResponseAsync("x", null, Token)));

        Assert.Contains("00:00:20", exception.Message, StringComparison.Ordinal);
        Assert.Equal(2, inner.Calls.Count);
    }

    [Fact]
    public async Task GetResponseAsync_CancelledInABackOff_ThrowsAndAsksNoMore()
    {
        using CancellationTokenSource source = new();
        ScriptedChatClient inner = new(_ => throw new IOException("cut"));
        using ResilientChatClient client = new(inner, null, _time);

        Task<ChatResponse> call = client.GetResponseAsync("x", null, source.Token);
        await source.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        Assert.Single(inner.Calls);
    }

    [Fact]
    public async Task GetResponseAsync_MaxConcurrency_IsNeverExceeded()
    {
        ScriptedChatClient inner = new(async (call, token) =>
        {
            await Task.Delay(1, token);
            return ScriptedChatClient.Answer(call, "yes");
        });
        using ResilientChatClient client = new(inner, new ChatResilienceOptions { MaxConcurrency = 4 });

        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => i % 2 == 0
            ? client.GetResponseAsync("x", null, Token)
            : client.GetStreamingResponseAsync("x", null, Token).ToChatResponseAsync(Token)));

        Assert.Equal(40, inner.Calls.Count);
        Assert.InRange(inner.MostRunning, 1, 4);
    }

    [Fact]
    public async Task GetResponseAsync_ServiceIsDown_OpensTheCircuitAndClosesItAgain()
    {
        bool isDown = true;
        ScriptedChatClient inner = new(call => isDown ? throw new HttpRequestException("down") : ScriptedChatClient.Answer(call, "yes"));
        using ResilientChatClient client = new(
            inner, new ChatResilienceOptions { RetryCount = 0, MinimumThroughput = 5, BreakDuration = TimeSpan.FromSeconds(10) }, _time);

        for (int i = 0; i < 5; i++)
        {
            await Assert.ThrowsAsync<HttpRequestException>(() => client.GetResponseAsync("x", null, Token));
        }

        await Assert.ThrowsAsync<BrokenCircuitException>(() => client.GetResponseAsync("x", null, Token));
        Assert.Equal(5, inner.Calls.Count);
        isDown = false;
        _time.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal("yes", (await client.GetResponseAsync("x", null, Token)).Text);
    }

    [Fact]
    public async Task GetResponseAsync_CircuitIsOpen_WaitsForItAsForARepetition()
    {
        DateTimeOffset start = _time.GetUtcNow();
        ScriptedChatClient inner = new(call => _time.GetUtcNow() - start < TimeSpan.FromSeconds(5) ? throw new HttpRequestException("down") : ScriptedChatClient.Answer(call, "yes"));
        using ResilientChatClient client = new(
            inner, new ChatResilienceOptions { RetryCount = 9, MinimumThroughput = 2, BreakDuration = TimeSpan.FromSeconds(10), BaseDelay = TimeSpan.FromSeconds(0.1) }, _time);

        ChatResponse response = await RunAsync(client.GetResponseAsync("x", null, Token));

        Assert.Equal("yes", response.Text);
        Assert.InRange(inner.Calls.Count, 3, 4);
    }

    // What a caller gives up says nothing of the service.
    [Fact]
    public async Task GetResponseAsync_CallersCancel_LeavesTheCircuitClosed()
    {
        ScriptedChatClient inner = new(async (call, token) =>
        {
            await Task.Delay(call.Index < 4 ? Timeout.InfiniteTimeSpan : TimeSpan.Zero, token);
            return ScriptedChatClient.Answer(call, "yes");
        });
        using ResilientChatClient client = new(inner, new ChatResilienceOptions { RetryCount = 0, MinimumThroughput = 2 }, _time);
        for (int i = 0; i < 4; i++)
        {
            using CancellationTokenSource source = new();
            Task<ChatResponse> call = client.GetResponseAsync("x", null, source.Token);
            await source.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        }

        Assert.Equal("yes", (await client.GetResponseAsync("x", null, Token)).Text);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_FailsBeforeItsFirstUpdate_IsRepeated()
    {
        ScriptedChatClient inner = new(call => call.Index == 0 ? throw new IOException("cut") : ScriptedChatClient.Answer(call, "abcdef"));
        using ResilientChatClient client = new(inner, null, _time);

        ChatResponse response = await RunAsync(client.GetStreamingResponseAsync("x", null, Token).ToChatResponseAsync(Token));

        Assert.Equal("abcdef", response.Text);
        Assert.Equal(2, inner.Calls.Count);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_CutLater_ThrowsAndSaysNothingTwice()
    {
        ScriptedChatClient inner = new("abcdef") { CutStream = _ => new IOException("cut") };
        using ResilientChatClient client = new(inner, null, _time);
        List<string> texts = [];

        await Assert.ThrowsAsync<IOException>(async () =>
        {
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("x", null, Token))
            {
                texts.Add(update.Text);
            }
        });

        Assert.Equal(["abc"], texts);
        Assert.Single(inner.Calls);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_HangsMidway_TimesOut()
    {
        using ResilientChatClient client = new(new HangingStream(), new ChatResilienceOptions { CallTimeout = TimeSpan.FromSeconds(9) }, _time);

        await Assert.ThrowsAsync<TimeoutException>(() => RunAsync(client.GetStreamingResponseAsync("x", null, Token).ToChatResponseAsync(Token)));
    }

    // Nobody waits for a call that was left behind; that it fails later is no unobserved failure of the app.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task GetResponseAsync_ClientThatHangsFailsLater_IsObserved(bool streams)
    {
        string message = $"late {streams}";
        bool isUnobserved = false;
        void OnUnobserved(object? sender, UnobservedTaskExceptionEventArgs failure) => isUnobserved |= failure.Exception.ToString().Contains(message, StringComparison.Ordinal);
        TaskScheduler.UnobservedTaskException += OnUnobserved;
        try
        {
            await LeaveBehindAsync(new IOException(message), streams);
            for (int i = 0; i < 3; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }

            Assert.False(isUnobserved);
        }
        finally
        {
            TaskScheduler.UnobservedTaskException -= OnUnobserved;
        }
    }

    // The reader's own time is not the client's.
    [Fact]
    public async Task GetStreamingResponseAsync_SlowReader_IsNoTimeout()
    {
        using ResilientChatClient client = new(new ScriptedChatClient("abcdef"), new ChatResilienceOptions { CallTimeout = TimeSpan.FromSeconds(9) }, _time);
        string text = "";

        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("x", null, Token))
        {
            text += update.Text;
            _time.Advance(TimeSpan.FromSeconds(30));
        }

        Assert.Equal("abcdef", text);
    }

    [Fact]
    public async Task RequireFinishReason_ResponseOrStreamWithout_IsAFailureThatIsRepeated()
    {
        ScriptedChatClient inner = new(call =>
        {
            ChatResponse response = ScriptedChatClient.Answer(call, "");
            response.FinishReason = call.Index % 2 == 0 ? null : ChatFinishReason.Stop;
            return response;
        });
        using ResilientChatClient client = new(inner, new ChatResilienceOptions { RequireFinishReason = true }, _time);

        Assert.Equal(ChatFinishReason.Stop, (await RunAsync(client.GetResponseAsync("x", null, Token))).FinishReason);
        Assert.Equal(2, inner.Calls.Count);
        await Assert.ThrowsAsync<ChatServiceException>(() => client.GetStreamingResponseAsync("x", null, Token).ToChatResponseAsync(Token)); // its first update was seen
    }

    [Fact]
    public async Task GetResponseAsync_Attempts_GetOptionsAndMessagesOfTheirOwn()
    {
        ScriptedChatClient inner = new(call =>
        {
            Assert.Null(call.Options!.ModelId);
            call.Options.ModelId = "written beneath";
            return call.Index == 0 ? throw new IOException("cut") : ScriptedChatClient.Answer(call, "yes");
        });
        using ResilientChatClient client = new(inner, null, _time);
        IEnumerable<ChatMessage> once = new Queue<ChatMessage>([new(ChatRole.User, "x")]).Select(message => message);

        await RunAsync(client.GetResponseAsync(once, new ChatOptions(), Token));

        Assert.All(inner.Calls, call => Assert.Equal("x", call.Question));
    }

    [Fact]
    public void UseResilience_OptionsOutOfRange_ThrowAtTheCall()
    {
        ChatClientBuilder builder = new ScriptedChatClient("x").AsBuilder();

        Assert.Throws<ArgumentOutOfRangeException>(() => builder.UseResilience(options => options.CallTimeout = TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.UseResilience(options => options.RetryCount = -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.UseResilience(options => options.MaxDelay = TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.UseResilience(options => options.MaxConcurrency = 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.UseResilience(options => options.BreakAtFailureRatio = double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.UseResilience(options => options.MinimumThroughput = 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.UseResilience(options => options.BreakDuration = TimeSpan.Zero));
        Assert.Throws<ArgumentNullException>(() => builder.UseResilience(options => options.IsTransient = null!));
    }

    internal static HttpRequestException TooMany(int seconds) => new("slow down", null, HttpStatusCode.TooManyRequests) { Data = { ["Retry-After"] = seconds } };

    internal static TimeSpan? ReadRetryAfter(Exception exception) => exception.Data["Retry-After"] is int seconds ? TimeSpan.FromSeconds(seconds) : null;

    // In a method of its own, which keeps nothing of the call alive.
    private async Task LeaveBehindAsync(Exception late, bool streams)
    {
        TaskCompletionSource<ChatResponse> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        ScriptedChatClient inner = new((_, _) => answer.Task);
        using ResilientChatClient client = new(inner, new ChatResilienceOptions { RetryCount = 0, CallTimeout = TimeSpan.FromSeconds(9) }, _time);
        await Assert.ThrowsAsync<TimeoutException>(() => RunAsync(
            streams ? client.GetStreamingResponseAsync("x", null, Token).ToChatResponseAsync(Token) : client.GetResponseAsync("x", null, Token)));

        answer.SetException(late);
        await Task.Delay(50, Token);
    }

    private async Task<T> RunAsync<T>(Task<T> task)
    {
        while (!task.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(0.5));
            await Task.Delay(1, Token);
        }

        return await task;
    }

    private sealed class HangingStream() : DelegatingChatClient(new ScriptedChatClient("x"))
    {
        public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            yield return new ChatResponseUpdate(ChatRole.Assistant, "a");
            await new TaskCompletionSource().Task; // looks at no token
            yield return new ChatResponseUpdate(ChatRole.Assistant, "b");
        }
    }
}
