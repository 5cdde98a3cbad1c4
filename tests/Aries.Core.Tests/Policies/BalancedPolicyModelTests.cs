using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Aries.TestKit;
using Microsoft.Extensions.Time.Testing;

namespace Aries.Core.Tests;

public class BalancedPolicyModelTests
{
    private static readonly BalancedPolicyOptions Quick = new() { Rest = TimeSpan.FromMilliseconds(1), MaxRest = TimeSpan.FromMilliseconds(5), MaxAttempts = 8 };

    [Fact]
    public async Task GenerateAsync_ThreeEndpoints_AnswersAreInOrderAndDoNotDependOnWhichAnswered()
    {
        using ToyPolicyModel alone = new();
        GenerationRequest[] requests = [.. Enumerable.Range(0, 200).Select(i => new GenerationRequest($"prompt {i}", new SamplingOptions { Seed = i }))];
        string[] expected = [.. (await alone.GenerateAsync(requests, TestContext.Current.CancellationToken)).Select(response => response.Text)];
        Endpoint[] endpoints = [new(), new(), new()];
        using BalancedPolicyModel balanced = Balance(Quick, 4, endpoints);

        IReadOnlyList<Response> responses = await balanced.GenerateAsync(requests, TestContext.Current.CancellationToken);

        Assert.Equal(expected, responses.Select(response => response.Text));
        Assert.All(endpoints, endpoint => Assert.InRange(endpoint.AnsweredCount, 1, 199));
        Assert.Equal(200, endpoints.Sum(endpoint => endpoint.AnsweredCount));
        Assert.All(endpoints, endpoint => Assert.InRange(endpoint.MostAtOnce, 1, 4));
    }

    // One of three endpoints fails every call, one every third, one never: what is asked is answered, and answered once.
    [Fact]
    public async Task GenerateAsync_EndpointsFail_EachPromptIsAnsweredOnce()
    {
        Endpoint[] endpoints =
        [
            new() { Fail = _ => new HttpRequestException("refused") },
            new() { Fail = call => call % 3 == 0 ? new HttpRequestException("unavailable") : null, FailsByResponse = true },
            new(),
        ];
        using ToyPolicyModel alone = new();
        GenerationRequest[] requests = [.. Enumerable.Range(0, 300).Select(i => new GenerationRequest($"prompt {i}", new SamplingOptions { Seed = i }))];
        using BalancedPolicyModel balanced = Balance(Quick, 4, endpoints);

        IReadOnlyList<Response> responses = await balanced.GenerateAsync(requests, TestContext.Current.CancellationToken);

        Assert.Equal((await alone.GenerateAsync(requests, TestContext.Current.CancellationToken)).Select(response => response.Text), responses.Select(response => response.Text));
        Assert.Equal(300, endpoints.Sum(endpoint => endpoint.AnsweredCount));
        Assert.Equal(0, endpoints[0].AnsweredCount);
        Assert.True(endpoints[1].FailedCount > 0);
    }

    [Fact]
    public async Task GenerateAsync_AnEndpointDiesMidway_TheOthersFinish()
    {
        Endpoint[] endpoints = [new() { Fail = call => call >= 20 ? new IOException("connection reset") : null }, new()];
        GenerationRequest[] requests = [.. Enumerable.Range(0, 200).Select(i => new GenerationRequest($"prompt {i}"))];
        using BalancedPolicyModel balanced = Balance(Quick, 4, endpoints);

        IReadOnlyList<Response> responses = await balanced.GenerateAsync(requests, TestContext.Current.CancellationToken);

        Assert.All(responses, response => Assert.Equal(FinishReason.Stop, response.FinishReason));
        Assert.InRange(endpoints[0].AnsweredCount, 1, 20);
        Assert.Equal(200, endpoints.Sum(endpoint => endpoint.AnsweredCount));
    }

    [Fact]
    public async Task GenerateAsync_AnEndpointHangsAndHeedsNothing_TheOtherAnswersInTime()
    {
        Endpoint[] endpoints = [new() { Hangs = true }, new()];
        using BalancedPolicyModel balanced = Balance(Quick with { AttemptTimeout = TimeSpan.FromMilliseconds(50) }, 2, endpoints);

        IReadOnlyList<Response> responses = await balanced.GenerateAsync([.. Enumerable.Range(0, 20).Select(i => new GenerationRequest($"{i}"))], TestContext.Current.CancellationToken);

        Assert.All(responses, response => Assert.Equal(FinishReason.Stop, response.FinishReason));
        Assert.Equal(20, endpoints[1].AnsweredCount);
        Assert.True(endpoints[0].CallCount > 0);
    }

    [Fact]
    public async Task GenerateAsync_EveryEndpointFails_TheResponseCarriesTheLastFailure()
    {
        Endpoint endpoint = new() { Fail = call => new HttpRequestException($"failure {call}") };
        using BalancedPolicyModel balanced = Balance(Quick with { MaxAttempts = 3 }, 1, endpoint);

        Response response = await balanced.GenerateAsync("Q", cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal(FinishReason.Error, response.FinishReason);
        Assert.Equal("failure 2", response.Error!.Message);
        Assert.Equal(3, endpoint.CallCount);
    }

    // Each look at the clock moves it on, so for some of these rests the end falls between two looks.
    [Fact]
    public async Task GenerateAsync_ARestEndsBetweenTwoLooksAtTheClock_GoesOn()
    {
        for (int rest = 1; rest <= 16; rest++)
        {
            Endpoint endpoint = new() { Fail = call => call == 0 ? new HttpRequestException("503") : null };
            using BalancedPolicyModel balanced = new(
                [new PolicyEndpoint("only", endpoint, 1)], Quick with { Rest = TimeSpan.FromTicks(rest), MaxRest = TimeSpan.FromTicks(rest) }, timeProvider: new TickingTimeProvider());

            Response response = await balanced.GenerateAsync("Q", cancellationToken: TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);

            Assert.NotEqual(FinishReason.Error, response.FinishReason);
        }
    }

    [Fact]
    public async Task GenerateAsync_AFailureOfTheRequest_IsNotTriedElsewhere()
    {
        Endpoint[] endpoints = [new() { Fail = _ => new FormatException("content filter") }, new() { Fail = _ => new FormatException("content filter") }];
        using BalancedPolicyModel balanced = Balance(Quick with { IsEndpointFailure = exception => exception is not FormatException }, 1, endpoints);

        Response response = await balanced.GenerateAsync("Q", cancellationToken: TestContext.Current.CancellationToken);

        Assert.IsType<FormatException>(response.Error);
        Assert.Equal(1, endpoints.Sum(endpoint => endpoint.CallCount));
    }

    [Fact]
    public async Task GenerateAsync_RetryAfter_TheEndpointIsLeftAloneThatLong()
    {
        FakeTimeProvider time = new();
        Endpoint endpoint = new() { Fail = call => call == 0 ? new HttpRequestException("429") : null };
        using BalancedPolicyModel balanced = new([new PolicyEndpoint("a", endpoint)], Quick with { RetryAfter = _ => TimeSpan.FromSeconds(30) }, timeProvider: time);
        Task<Response> call = balanced.GenerateAsync("Q", cancellationToken: TestContext.Current.CancellationToken);
        await endpoint.Failed.WaitAsync(TestContext.Current.CancellationToken);

        // Less than half a minute: as many moments as the test likes, the endpoint is not asked.
        for (int i = 0; i < 29; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        int before = endpoint.CallCount;
        while (!call.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        Assert.Equal(1, before);
        Assert.Equal(FinishReason.Stop, (await call).FinishReason);
    }

    [Fact]
    public async Task GenerateAsync_PromptThatCannotBeAnswered_ThrowsAndStopsTheRest()
    {
        Endpoint[] endpoints = [new() { Fail = _ => new ArgumentException("too long") }, new() { Fail = _ => new ArgumentException("too long") }];
        using BalancedPolicyModel balanced = Balance(Quick, 4, endpoints);

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(
            () => balanced.GenerateAsync([.. Enumerable.Range(0, 100).Select(i => new GenerationRequest($"{i}"))], TestContext.Current.CancellationToken));

        Assert.Equal("too long", exception.Message);
        Assert.InRange(endpoints.Sum(endpoint => endpoint.CallCount), 1, 8);
    }

    [Fact]
    public async Task GenerateAsync_CancelledWhileAllEndpointsRest_Throws()
    {
        Endpoint endpoint = new() { Fail = _ => new HttpRequestException("down") };
        using BalancedPolicyModel balanced = Balance(new BalancedPolicyOptions { Rest = TimeSpan.FromHours(1), MaxRest = TimeSpan.FromHours(1) }, 1, endpoint);
        using CancellationTokenSource source = new();
        Task<Response> call = balanced.GenerateAsync("Q", cancellationToken: source.Token);
        await endpoint.Failed.WaitAsync(TestContext.Current.CancellationToken);

        await source.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Fact]
    public async Task GenerateStreamingAsync_FailsBeforeItsFirstText_IsStreamedByAnother()
    {
        Endpoint[] endpoints = [new() { Fail = _ => new IOException("reset") }, new()];
        using BalancedPolicyModel balanced = Balance(Quick, 1, endpoints);

        List<ResponseUpdate> updates = await balanced.GenerateStreamingAsync(new GenerationRequest("Q"), TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);

        Assert.Equal(updates[^1].Response!.Text, string.Concat(updates.Select(update => update.Text)));
        Assert.Equal([1, 1], endpoints.Select(endpoint => endpoint.CallCount));
    }

    [Fact]
    public async Task GenerateStreamingAsync_CutAfterItsFirstText_ThrowsAndRepeatsNothing()
    {
        Endpoint[] endpoints = [new() { CutsStreams = true }, new() { CutsStreams = true }];
        using BalancedPolicyModel balanced = Balance(Quick, 1, endpoints);
        int textCount = 0;

        await Assert.ThrowsAsync<IOException>(async () =>
        {
            await foreach (ResponseUpdate update in balanced.GenerateStreamingAsync(new GenerationRequest("Q"), TestContext.Current.CancellationToken))
            {
                textCount += update.Text.Length > 0 ? 1 : 0;
            }
        });

        Assert.Equal(1, textCount);
        Assert.Equal(1, endpoints.Sum(endpoint => endpoint.CallCount));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task GenerateAsync_ARuleOfTheCallersThrows_ThrowsItAndThePlaceIsFree(bool streams)
    {
        int asked = 0;
        Endpoint endpoint = new() { Fail = call => call == 0 ? new HttpRequestException("503") : null };
        using BalancedPolicyModel balanced = Balance(
            Quick with { RetryAfter = _ => asked++ == 0 ? throw new FormatException("no date") : null }, 1, endpoint);
        async Task<string> AskAsync() => streams
            ? (await balanced.GenerateStreamingAsync(new GenerationRequest("Q"), TestContext.Current.CancellationToken).LastAsync(TestContext.Current.CancellationToken)).Response!.Text
            : (await balanced.GenerateAsync("Q", cancellationToken: TestContext.Current.CancellationToken)).Text;

        await Assert.ThrowsAsync<FormatException>(AskAsync);
        string answer = await AskAsync().WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);

        Assert.NotEmpty(answer);
    }

    // The first endpoint's stream hangs and heeds no token; what it holds is let go when it ends.
    [Fact]
    public async Task GenerateStreamingAsync_AnEndpointHangsAndHeedsNothing_ItsStreamIsDisposedWhenItLetsGo()
    {
        using HangingStreams hanging = new();
        using BalancedPolicyModel balanced = new(
            [new PolicyEndpoint("hangs", hanging, 1), new PolicyEndpoint("answers", new Endpoint(), 1)], Quick with { AttemptTimeout = TimeSpan.FromMilliseconds(50) });

        ResponseUpdate last = await balanced.GenerateStreamingAsync(new GenerationRequest("Q"), TestContext.Current.CancellationToken).LastAsync(TestContext.Current.CancellationToken);
        bool wasDisposedAsItMoved = hanging.IsDisposed.IsCompleted;
        hanging.LetGo.SetResult(false);
        await hanging.IsDisposed.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);

        Assert.Equal(FinishReason.Stop, last.Response!.FinishReason);
        Assert.False(wasDisposedAsItMoved);
    }

    [Fact]
    public async Task Constructor_EndpointsWithoutALimit_Work()
    {
        using BalancedPolicyModel balanced = Balance(Quick, int.MaxValue, new Endpoint(), new Endpoint());

        Response response = await balanced.GenerateAsync("Q", cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal(FinishReason.Stop, response.FinishReason);
    }

    [Fact]
    public void Constructor_NoEndpointOrOneNameTwice_Throws()
    {
        using ToyPolicyModel policy = new();

        Assert.Throws<ArgumentException>(() => new BalancedPolicyModel([]));
        Assert.Throws<ArgumentException>(() => new BalancedPolicyModel([new PolicyEndpoint("a", policy), new PolicyEndpoint("a", policy)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new PolicyEndpoint("a", policy, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BalancedPolicyModel([new PolicyEndpoint("a", policy)], new BalancedPolicyOptions { MaxAttempts = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BalancedPolicyModel([new PolicyEndpoint("a", policy)], new BalancedPolicyOptions { MaxRest = TimeSpan.Zero }));
    }

    private static BalancedPolicyModel Balance(BalancedPolicyOptions options, int maxConcurrency, params Endpoint[] endpoints) =>
        new([.. endpoints.Select((endpoint, i) => new PolicyEndpoint($"endpoint {i}", endpoint, maxConcurrency))], options);

    /// <summary>A clock that moves on by one tick whenever it is looked at; its timers are the system's.</summary>
    private sealed class TickingTimeProvider : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Increment(ref _ticks);
    }

    /// <summary>A policy whose stream moves only when the test says so, whatever its token says.</summary>
    private sealed class HangingStreams : IPolicyModel, IAsyncEnumerable<ResponseUpdate>, IAsyncEnumerator<ResponseUpdate>
    {
        private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource<bool> LetGo { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task IsDisposed => _disposed.Task;

        public ResponseUpdate Current => throw new InvalidOperationException("There is none.");

        public Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, CancellationToken cancellationToken = default) => this;

        public IAsyncEnumerator<ResponseUpdate> GetAsyncEnumerator(CancellationToken cancellationToken = default) => this;

        public ValueTask<bool> MoveNextAsync() => new(LetGo.Task);

        public ValueTask DisposeAsync()
        {
            _disposed.SetResult();
            return ValueTask.CompletedTask;
        }

        public void Dispose()
        {
        }
    }

    /// <summary>A server that answers as its fellows do, or does not.</summary>
    private sealed class Endpoint : IPolicyModel
    {
        private readonly ToyPolicyModel _toy = new();
        private int _callCount;
        private int _atOnce;
        private int _mostAtOnce;
        private int _answeredCount;
        private int _failedCount;

        public Func<int, Exception?> Fail { get; init; } = _ => null;

        public bool FailsByResponse { get; init; }

        public bool Hangs { get; init; }

        public bool CutsStreams { get; init; }

        public SemaphoreSlim Failed { get; } = new(0);

        public int CallCount => _callCount;

        public int AnsweredCount => _answeredCount;

        public int FailedCount => _failedCount;

        public int MostAtOnce => _mostAtOnce;

        public async Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default)
        {
            int call = Interlocked.Increment(ref _callCount) - 1;
            InterlockedMax(Interlocked.Increment(ref _atOnce));
            try
            {
                if (Hangs)
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, CancellationToken.None);
                }

                await Task.Yield();
                if (Fail(call) is { } failure)
                {
                    Interlocked.Increment(ref _failedCount);
                    Failed.Release();
                    return FailsByResponse ? [Response.Failed(failure)] : throw failure;
                }

                Interlocked.Increment(ref _answeredCount);
                return await _toy.GenerateAsync(requests, cancellationToken);
            }
            finally
            {
                Interlocked.Decrement(ref _atOnce);
            }
        }

        public async IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            Response response = (await GenerateAsync([request], cancellationToken))[0];
            yield return new ResponseUpdate { Text = response.Text };
            yield return CutsStreams ? throw new IOException("cut") : new ResponseUpdate { Text = "", Response = response };
        }

        public void Dispose() => _toy.Dispose();

        private void InterlockedMax(int value)
        {
            for (int seen = _mostAtOnce; value > seen; seen = _mostAtOnce)
            {
                Interlocked.CompareExchange(ref _mostAtOnce, value, seen);
            }
        }
    }
}
