using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Aries.TestKit;
using Microsoft.Extensions.Time.Testing;

namespace Aries.Core.Tests;

public class BatchingPolicyModelTests
{
    [Fact]
    public async Task GenerateAsync_CallsThatComeWhileAPassRuns_ShareTheNextPass()
    {
        GatedPolicy policy = new();
        using BatchingPolicyModel batching = new(policy);

        Task<Response> first = batching.GenerateAsync("0", cancellationToken: TestContext.Current.CancellationToken);
        await policy.Started.WaitAsync(TestContext.Current.CancellationToken);
        Task<Response>[] others = [.. Enumerable.Range(1, 5).Select(i => batching.GenerateAsync($"{i}", cancellationToken: TestContext.Current.CancellationToken))];
        policy.Open(passCount: 2);
        Response[] responses = await Task.WhenAll([first, .. others]);

        Assert.Equal(["re 0", "re 1", "re 2", "re 3", "re 4", "re 5"], responses.Select(response => response.Text));
        Assert.Equal([1, 5], policy.PassSizes);
    }

    [Fact]
    public async Task GenerateAsync_MoreThanAPassTakes_AreCutAtWholeCalls()
    {
        GatedPolicy policy = new();
        using BatchingPolicyModel batching = new(policy, new BatchingPolicyOptions { MaxBatchSize = 4 });

        Task<Response> first = batching.GenerateAsync("0", cancellationToken: TestContext.Current.CancellationToken);
        await policy.Started.WaitAsync(TestContext.Current.CancellationToken);
        Task<IReadOnlyList<Response>>[] others = [.. new[] { 3, 2, 7, 1 }.Select((count, call) => batching.GenerateAsync(
            [.. Enumerable.Range(0, count).Select(i => new GenerationRequest($"{call}.{i}"))], TestContext.Current.CancellationToken))];
        policy.Open(passCount: 5);
        await first;
        IReadOnlyList<Response>[] responses = await Task.WhenAll(others);

        Assert.Equal([1, 3, 2, 7, 1], policy.PassSizes);
        Assert.Equal(["re 2.0", "re 2.1", "re 2.2", "re 2.3", "re 2.4", "re 2.5", "re 2.6"], responses[2].Select(response => response.Text));
    }

    [Fact]
    public async Task GenerateAsync_OneOfAPassIsCancelled_ThrowsAtOnceAndTheOthersAreAnswered()
    {
        GatedPolicy policy = new();
        using CancellationTokenSource source = new();
        using BatchingPolicyModel together = new(policy);
        Task<Response> running = together.GenerateAsync("0", cancellationToken: TestContext.Current.CancellationToken);
        await policy.Started.WaitAsync(TestContext.Current.CancellationToken);
        Task<Response> leaving = together.GenerateAsync("1", cancellationToken: source.Token);
        Task<Response> staying = together.GenerateAsync("2", cancellationToken: TestContext.Current.CancellationToken);
        policy.Open(passCount: 1);
        await running;
        await policy.Started.WaitAsync(TestContext.Current.CancellationToken);

        await source.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        Assert.False(staying.IsCompleted);
        policy.Open(passCount: 1);
        Assert.Equal("re 2", (await staying).Text);
        Assert.Equal([1, 2], policy.PassSizes);
        Assert.Equal(0, policy.CancelledCount);
    }

    [Fact]
    public async Task GenerateAsync_AWaitingCallIsCancelled_IsNotInTheNextPass()
    {
        GatedPolicy policy = new();
        using BatchingPolicyModel batching = new(policy);
        using CancellationTokenSource source = new();
        Task<Response> running = batching.GenerateAsync("0", cancellationToken: TestContext.Current.CancellationToken);
        await policy.Started.WaitAsync(TestContext.Current.CancellationToken);
        Task<Response> leaving = batching.GenerateAsync("1", cancellationToken: source.Token);
        Task<Response> staying = batching.GenerateAsync("2", cancellationToken: TestContext.Current.CancellationToken);

        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        policy.Open(passCount: 2);

        _ = await Task.WhenAll(running, staying);
        Assert.Equal([1, 1], policy.PassSizes);
    }

    [Fact]
    public async Task GenerateAsync_AllOfAPassAreCancelled_CancelsThePass()
    {
        GatedPolicy policy = new();
        using BatchingPolicyModel batching = new(policy);
        using CancellationTokenSource source = new();
        Task<Response> call = batching.GenerateAsync("0", cancellationToken: source.Token);
        await policy.Started.WaitAsync(TestContext.Current.CancellationToken);

        await source.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await policy.Cancelled.WaitAsync(TestContext.Current.CancellationToken);
        policy.Open(passCount: 1);
        Assert.Equal("re 1", (await batching.GenerateAsync("1", cancellationToken: TestContext.Current.CancellationToken)).Text);
    }

    [Fact]
    public async Task GenerateAsync_OnePromptIsRefused_FailsItsOwnCallOnly()
    {
        GatedPolicy policy = new();
        using BatchingPolicyModel batching = new(policy);
        Task<Response> first = batching.GenerateAsync("0", cancellationToken: TestContext.Current.CancellationToken);
        await policy.Started.WaitAsync(TestContext.Current.CancellationToken);
        Task<Response>[] others = [.. new[] { "1", "2", "refused", "4", "5" }.Select(text => batching.GenerateAsync(text, cancellationToken: TestContext.Current.CancellationToken))];

        policy.Open(passCount: 20);

        await first;
        ArgumentException refused = await Assert.ThrowsAsync<ArgumentException>(() => others[2]);
        Assert.Contains("refused", refused.Message, StringComparison.Ordinal);
        Assert.Equal(["re 1", "re 2", "re 4", "re 5"], (await Task.WhenAll(others.Where((_, i) => i != 2))).Select(response => response.Text));
    }

    [Fact]
    public async Task GenerateAsync_ThePolicyFails_EveryCallOfThePassFailsAndTheNextPassRuns()
    {
        using ScriptedPolicyModel policy = new(text => "re " + text) { FailAtCall = 0 };
        using BatchingPolicyModel batching = new(policy);

        InvalidOperationException failure = await Assert.ThrowsAsync<InvalidOperationException>(() => batching.GenerateAsync("0", cancellationToken: TestContext.Current.CancellationToken));

        Assert.Same(policy.Failure, failure);
        Assert.Equal("re 1", (await batching.GenerateAsync("1", cancellationToken: TestContext.Current.CancellationToken)).Text);
    }

    [Fact]
    public async Task GenerateAsync_MaxDelay_AFirstCallWaitsForOthers()
    {
        FakeTimeProvider time = new();
        using ScriptedPolicyModel policy = new(text => "re " + text);
        using BatchingPolicyModel batching = new(policy, new BatchingPolicyOptions { MaxDelay = TimeSpan.FromSeconds(1) }, timeProvider: time);

        Task<Response>[] calls = [.. Enumerable.Range(0, 3).Select(i => batching.GenerateAsync($"{i}", cancellationToken: TestContext.Current.CancellationToken))];
        while (!Array.TrueForAll(calls, call => call.IsCompleted))
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        Assert.Equal([3], policy.BatchSizes);
    }

    // The clock stands still: nothing but the full pass can end the wait.
    [Fact]
    public async Task GenerateAsync_MaxDelay_AFullPassWaitsNoLonger()
    {
        using ScriptedPolicyModel policy = new(text => "re " + text);
        using BatchingPolicyModel batching = new(policy, new BatchingPolicyOptions { MaxBatchSize = 3, MaxDelay = TimeSpan.FromHours(1) }, timeProvider: new FakeTimeProvider());
        Task<Response> first = batching.GenerateAsync("0", cancellationToken: TestContext.Current.CancellationToken);
        await Task.Delay(50, TestContext.Current.CancellationToken);

        Task<Response>[] others = [.. Enumerable.Range(1, 2).Select(i => batching.GenerateAsync($"{i}", cancellationToken: TestContext.Current.CancellationToken))];
        await Task.WhenAll([first, .. others]).WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);

        Assert.Equal([3], policy.BatchSizes);
    }

    // A client's own time limit is an OperationCanceledException, too, and its cause says which.
    [Fact]
    public async Task GenerateAsync_ThePolicyGivesUpByItself_TheCauseReachesTheCaller()
    {
        TaskCanceledException failure = new("The request was canceled.", new TimeoutException("100 seconds"));
        using ScriptedPolicyModel policy = new("a") { FailAtCall = 0, Failure = failure };
        using BatchingPolicyModel batching = new(policy);

        OperationCanceledException thrown = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => batching.GenerateAsync("0", cancellationToken: TestContext.Current.CancellationToken));

        Assert.Same(failure, thrown);
    }

    [Fact]
    public async Task GenerateAsync_ManyCallersAtOnce_EachGetsItsOwnAnswerOnce()
    {
        using ToyPolicyModel toy = new();
        using BatchingPolicyModel batching = new(toy, new BatchingPolicyOptions { MaxBatchSize = 7 });
        GenerationRequest[] requests = [.. Enumerable.Range(0, 500).Select(i => new GenerationRequest($"prompt {i}", new SamplingOptions { Seed = i }))];
        string[] expected = [.. (await toy.GenerateAsync(requests, TestContext.Current.CancellationToken)).Select(response => response.Text)];

        IReadOnlyList<Response>[] responses = await Task.WhenAll(requests.Select(request => Task.Run(() => batching.GenerateAsync([request], TestContext.Current.CancellationToken))));

        Assert.Equal(expected, responses.Select(response => Assert.Single(response).Text));
    }

    [Fact]
    public void Dispose_OwnedPolicy_IsDisposedWithIt()
    {
        using ScriptedPolicyModel own = new("a");
        using ScriptedPolicyModel others = new("a");

        new BatchingPolicyModel(own, ownsPolicy: true).Dispose();
        new BatchingPolicyModel(others).Dispose();

        Assert.True(own.IsDisposed);
        Assert.False(others.IsDisposed);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, -1)]
    [InlineData(1, long.MaxValue)]
    public void Validate_OutOfRange_Throws(int batchSize, long delay) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchingPolicyOptions { MaxBatchSize = batchSize, MaxDelay = TimeSpan.FromTicks(delay) }.Validate());

    /// <summary>A policy whose passes wait until they are let through.</summary>
    private sealed class GatedPolicy : IPolicyModel
    {
        private readonly SemaphoreSlim _gate = new(0);
        private readonly ConcurrentQueue<int> _sizes = new();

        public SemaphoreSlim Started { get; } = new(0);

        public SemaphoreSlim Cancelled { get; } = new(0);

        public int CancelledCount { get; private set; }

        public int[] PassSizes => [.. _sizes];

        public void Open(int passCount) => _gate.Release(passCount);

        public async Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default)
        {
            _sizes.Enqueue(requests.Count);
            Started.Release();
            try
            {
                await _gate.WaitAsync(cancellationToken);
            }
            catch (OperationCanceledException)
            {
                CancelledCount++;
                Cancelled.Release();
                throw;
            }

            return requests.Any(request => request.Prompt.Question == "refused")
                ? throw new ArgumentException("The prompt is refused.")
                : [.. requests.Select(request => ScriptedPolicyModel.Answer(request, "re " + request.Prompt.Question))];
        }

        public async IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            Response response = (await GenerateAsync([request], cancellationToken))[0];
            yield return new ResponseUpdate { Text = response.Text, Response = response };
        }

        public void Dispose()
        {
        }
    }
}
