using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Logging;

namespace Aries.Extensions.AI.Tests;

/// <summary>Refinement above and beneath the other middleware of Microsoft.Extensions.AI.</summary>
public sealed class RefinementPipelineTests
{
    private readonly MemoryCache _cache = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task CacheAbove_SecondRequest_IsAnsweredWithItsTraceAndAsksNobody()
    {
        ScriptedChatClient inner = new("draft", "better", "never");
        IChatClient client = inner.AsBuilder().UseDistributedCache(_cache).UseSelfRefinement().Build();

        ChatResponse fresh = await client.GetResponseAsync("x", null, Token);
        ChatResponse cached = await client.GetResponseAsync("x", null, Token);

        Assert.Equal(2, inner.Calls.Count);
        Assert.Equal(("better", "better"), (fresh.Text, cached.Text));
        Assert.Equal(fresh.GetRefinementTrace()!.Steps, cached.GetRefinementTrace()!.Steps);
        Assert.Equal(fresh.Usage!.TotalTokenCount, cached.Usage!.TotalTokenCount);
    }

    [Fact]
    public async Task CacheAbove_SecondStream_HasItsTrace()
    {
        ScriptedChatClient inner = new("draft", "better", "never");
        IChatClient client = inner.AsBuilder().UseDistributedCache(_cache).UseSelfRefinement().Build();

        await client.GetStreamingResponseAsync("x", null, Token).ToChatResponseAsync(Token);
        ChatResponse cached = await client.GetStreamingResponseAsync("x", null, Token).ToChatResponseAsync(Token);

        Assert.Equal(2, inner.Calls.Count);
        Assert.Equal("better", cached.Text);
        Assert.Equal(["draft", "better"], cached.GetRefinementTrace()!.Drafts.Select(draft => draft.Text));
    }

    [Fact]
    public async Task CacheAbove_SettingsOfTheRequest_ArePartOfTheKey()
    {
        ScriptedChatClient inner = new("draft", "better", "direct");
        IChatClient client = inner.AsBuilder().UseDistributedCache(_cache).UseSelfRefinement().Build();

        ChatResponse refined = await client.GetResponseAsync("x", new ChatOptions().WithRefinement(maxTurns: 2, tokenBudget: 100_000, timeBudget: TimeSpan.FromHours(1), streamDrafts: false), Token);
        ChatResponse direct = await client.GetResponseAsync("x", new ChatOptions().WithoutRefinement(), Token);

        Assert.Equal(("better", "direct"), (refined.Text, direct.Text));
    }

    [Fact]
    public async Task CacheAbove_StreamWithDrafts_IsKeptWhereTheContentIsMadeKnown()
    {
        JsonSerializerOptions json = new(AIJsonUtilities.DefaultOptions);
        json.AddAIContentType<RefinementDraftContent>("aries.draft");
        IChatClient client = new ScriptedChatClient("draft", "better", "never").AsBuilder()
            .UseDistributedCache(_cache, cache => cache.JsonSerializerOptions = json)
            .UseSelfRefinement(options => options.StreamDrafts = true)
            .Build();

        await client.GetStreamingResponseAsync("x", null, Token).ToChatResponseAsync(Token);
        ChatResponse cached = await client.GetStreamingResponseAsync("x", null, Token).ToChatResponseAsync(Token);

        Assert.Equal("better", cached.Text);
        Assert.Equal("draft", string.Concat(cached.Messages.SelectMany(message => message.Contents).OfType<RefinementDraftContent>().Select(draft => draft.Text)));
    }

    [Fact]
    public async Task CacheBeneath_SecondRequest_RefinesAgainFromTheCache()
    {
        ScriptedChatClient inner = new("draft", "better", "never");
        IChatClient client = inner.AsBuilder().UseSelfRefinement().UseDistributedCache(_cache).Build();

        ChatResponse fresh = await client.GetResponseAsync("x", null, Token);
        ChatResponse again = await client.GetResponseAsync("x", null, Token);

        Assert.Equal(2, inner.Calls.Count);
        Assert.Equal(fresh.GetRefinementTrace()!.Steps, again.GetRefinementTrace()!.Steps);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task FunctionInvocation_RequestWithTools_RunsTheFunctionOnceAndIsNotRefined(bool isBeneath)
    {
        int runs = 0;
        ScriptedChatClient inner = new(call => call.Index == 0
            ? new ChatResponse(new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("1", "roll")])) { FinishReason = ChatFinishReason.ToolCalls }
            : ScriptedChatClient.Answer(call, "You rolled 6."));
        ChatClientBuilder builder = inner.AsBuilder();
        IChatClient client = (isBeneath ? builder.UseSelfRefinement().UseFunctionInvocation() : builder.UseFunctionInvocation().UseSelfRefinement()).Build();

        ChatResponse response = await client.GetResponseAsync("Roll.", new ChatOptions { Tools = [AIFunctionFactory.Create(() => { runs++; return 6; }, "roll")] }, Token);

        Assert.Equal("You rolled 6.", response.Text);
        Assert.Equal((1, 2), (runs, inner.Calls.Count));
        Assert.Null(response.GetRefinementTrace());
    }

    // Beneath, tools that ConfigureOptions adds are not seen by the refiner until the model calls one.
    [Fact]
    public async Task FunctionInvocation_ToolsAddedBeneath_AnswersThatUsedOneAreNotRewritten()
    {
        ScriptedChatClient inner = new(call => call.Index == 0
            ? new ChatResponse(new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("1", "roll")])) { FinishReason = ChatFinishReason.ToolCalls }
            : ScriptedChatClient.Answer(call, "You rolled 6."));
        IChatClient client = inner.AsBuilder().UseSelfRefinement().ConfigureOptions(options => options.Tools = [AIFunctionFactory.Create(() => 6, "roll")]).UseFunctionInvocation().Build();

        ChatResponse response = await client.GetResponseAsync("Roll.", null, Token);

        Assert.EndsWith("You rolled 6.", response.Text, StringComparison.Ordinal);
        Assert.Equal(2, inner.Calls.Count);
        Assert.Single(response.GetRefinementTrace()!.Steps);
    }

    [Fact]
    public async Task Logging_AboveAndBeneath_SeesOneRequestAndEveryCall()
    {
        ListLogger above = new();
        ListLogger beneath = new();
        IChatClient client = new ScriptedChatClient("draft", "better").AsBuilder().UseLogging(above).UseSelfRefinement().UseLogging(beneath).Build();

        await client.GetResponseAsync("x", null, Token);

        Assert.Equal(1, above.Lines.Count(line => line.Contains("invoked", StringComparison.Ordinal)));
        Assert.Equal(2, beneath.Lines.Count(line => line.Contains("invoked", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Resilience_Beneath_RepeatsOneCallAndNotTheChain()
    {
        ScriptedChatClient inner = new(call => call.Index == 1 ? throw new IOException("cut") : ScriptedChatClient.Answer(call, $"answer {call.Index}"));
        IChatClient client = inner.AsBuilder().UseSelfRefinement().UseResilience(options => options.BaseDelay = TimeSpan.Zero).Build();

        ChatResponse response = await client.GetResponseAsync("x", null, Token);

        Assert.Equal("answer 2", response.Text);
        Assert.Equal(3, inner.Calls.Count);
        Assert.Equal(2, response.GetRefinementTrace()!.Steps.Count);
    }

    private sealed class ListLogger : ILogger, ILoggerFactory
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Debug;

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public void Dispose()
        {
        }

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Lines.Enqueue(formatter(state, exception));
    }

    private sealed class MemoryCache : IDistributedCache
    {
        private readonly ConcurrentDictionary<string, byte[]> _entries = new();

        public byte[]? Get(string key) => _entries.GetValueOrDefault(key);

        public Task<byte[]?> GetAsync(string key, CancellationToken token = default) => Task.FromResult(Get(key));

        public void Set(string key, byte[] value, DistributedCacheEntryOptions options) => _entries[key] = value;

        public Task SetAsync(string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken token = default)
        {
            Set(key, value, options);
            return Task.CompletedTask;
        }

        public void Refresh(string key)
        {
        }

        public Task RefreshAsync(string key, CancellationToken token = default) => Task.CompletedTask;

        public void Remove(string key) => _entries.TryRemove(key, out _);

        public Task RemoveAsync(string key, CancellationToken token = default)
        {
            Remove(key);
            return Task.CompletedTask;
        }
    }
}
