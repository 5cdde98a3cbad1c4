using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Time.Testing;

namespace Aries.Extensions.AI.Tests;

/// <summary>Ten thousand prompts against a service that fails in every way: each ends answered or reported, none twice.</summary>
public sealed class CollectionUnderFailureTests
{
    private const int PromptCount = 10_000;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(5)]
    [InlineData(0)]
    public async Task CollectAsync_ServiceThatFails_EndsWithEveryPromptAnsweredOrReported(int retryCount)
    {
        FakeTimeProvider time = new();
        FlakyService service = new(time);
        IChatClient client = new ResilientChatClient(
            service,
            new ChatResilienceOptions
            {
                CallTimeout = TimeSpan.FromSeconds(10),
                RetryCount = retryCount,
                MaxConcurrency = 64,
                RequireFinishReason = true,
                RetryAfter = ResilientChatClientTests.ReadRetryAfter,
            },
            time);
        using IPolicyModel policy = client.AsPolicyModel(options => options.MaxConcurrency = 256);
        PreferenceDataCollectorOptions collection = new() { BatchSize = 1000 };
        PreferenceDataCollector collector = new(policy, new AriesRefinement(turnCount: 2), new RuleBasedSelection(), collection, timeProvider: time);

        Task<List<CollectedChain>> collecting = Task.Run(async () => await collector.CollectAsync(Enumerable.Range(0, PromptCount).Select(i => new Prompt($"q{i}."))).ToListAsync(Token), Token);
        while (!collecting.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1, Token);
        }

        List<CollectedChain> chains = await collecting;
        Assert.Equal(Enumerable.Range(0, PromptCount).Select(i => $"q{i}."), chains.Select(chain => chain.Trace.Prompt.Question));
        Assert.All(chains, chain =>
        {
            // No answer is cut, and none is another prompt's.
            Assert.All(chain.Trace.Drafts, draft => Assert.Matches($@"^answer to {chain.Trace.Prompt.Question} \((direct|rewritten)\)$", draft.Text));
            Assert.True(chain.Trace.StopReason == RefinementStopReason.Failed ? chain.Trace.Error is not null : chain.Trace.Drafts.Count() == 2);
        });

        int failed = chains.Count(chain => chain.Trace.StopReason == RefinementStopReason.Failed);
        int[] answered = [.. service.Answered.Values];
        Assert.True(service.FailureKinds.Count == 5, "Not every kind of failure came.");
        Assert.All(answered, count => Assert.Equal(1, count)); // what was answered is not asked again
        if (retryCount > 0)
        {
            // A call fails with a chance of one in seven; six in a row, (1/7)⁶ < 10⁻⁵ a call.
            Assert.InRange(failed, 0, 20);
        }
        else
        {
            // Two calls a chain: 1 − (6/7)² = 27 % fail.
            Assert.InRange(failed, 2_200, 3_200);
        }
    }

    /// <summary>Answers every call over a stream. Five calls in 35, by the question and the attempt, fail: an error, a limit, a hang, a stream that is cut with an error or quietly.</summary>
    private sealed class FlakyService(TimeProvider time) : IChatClient
    {
        private readonly ConcurrentDictionary<string, int> _attempts = new();

        public ConcurrentDictionary<string, int> Answered { get; } = new();

        public ConcurrentDictionary<string, int> FailureKinds { get; } = new();

        public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
            GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

        public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            string question = messages.Last().Text;
            bool isRewrite = question.Length > 50;
            string id = question[question.IndexOf('q', isRewrite ? question.IndexOf("QUESTION:", StringComparison.Ordinal) : 0)..].Split('.')[0] + ".";
            string key = $"{id}{isRewrite}";
            int attempt = _attempts.AddOrUpdate(key, 0, (_, before) => before + 1);
            uint fate = Draw($"{key}{attempt}") % 35;
            if (fate == 0)
            {
                throw Failure("500", new HttpRequestException("internal error", null, System.Net.HttpStatusCode.InternalServerError));
            }

            if (fate == 1)
            {
                throw Failure("429", ResilientChatClientTests.TooMany(seconds: 3));
            }

            yield return new ChatResponseUpdate(ChatRole.Assistant, $"answer to {id}");
            if (fate == 2)
            {
                FailureKinds.TryAdd("hang", 0);
                await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
            }

            if (fate == 3)
            {
                throw Failure("cut", new IOException("the response ended prematurely"));
            }

            if (fate == 4)
            {
                FailureKinds.TryAdd("cut quietly", 0);
                yield break;
            }

            Answered.AddOrUpdate(key, 1, (_, before) => before + 1);
            yield return new ChatResponseUpdate(ChatRole.Assistant, isRewrite ? " (rewritten)" : " (direct)") { FinishReason = ChatFinishReason.Stop };
        }

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }

        private Exception Failure(string kind, Exception exception)
        {
            FailureKinds.TryAdd(kind, 0);
            return exception;
        }

        private static uint Draw(string text)
        {
            ulong state = 1469598103934665603;
            foreach (char unit in text)
            {
                state = (state ^ unit) * 1099511628211;
            }

            return (uint)((state ^ (state >> 29)) * 0xbf58476d1ce4e5b9 >> 33);
        }
    }
}
