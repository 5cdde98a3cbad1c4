using Aries.TestKit;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Time.Testing;

namespace Aries.Extensions.AI.Tests;

public sealed class RefinementStreamingTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task GetStreamingResponseAsync_LastPlannedTurn_ShowsTokensAsTheyCome()
    {
        // The rewrite waits after its first letters until the reader has seen them: buffered, this would never end.
        TaskCompletionSource seen = new();
        IChatClient client = new GatedClient(seen.Task).AsBuilder().UseSelfRefinement().Build();
        List<string> texts = [];

        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("x", null, Token))
        {
            texts.Add(update.Text);
            seen.TrySetResult();
        }

        Assert.Equal(["bet", "ter", ""], texts);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_Folded_EqualsTheWholeResponse()
    {
        IChatClient client = new ScriptedChatClient(call => ScriptedChatClient.Answer(call, call.Index % 2 == 0 ? "draft" : "better")).AsBuilder().UseSelfRefinement().Build();

        ChatResponse whole = await client.GetResponseAsync("why?", null, Token);
        ChatResponse streamed = await client.GetStreamingResponseAsync("why?", null, Token).ToChatResponseAsync(Token);

        Assert.Equal(whole.Text, streamed.Text);
        Assert.Single(streamed.Messages);
        Assert.Equal(whole.FinishReason, streamed.FinishReason);
        Assert.Equal(whole.ModelId, streamed.ModelId);
        Assert.Equal((whole.Usage!.InputTokenCount, whole.Usage.OutputTokenCount), (streamed.Usage!.InputTokenCount, streamed.Usage.OutputTokenCount));
        Assert.Equal(whole.AdditionalProperties!["aries.trace"], streamed.AdditionalProperties!["aries.trace"]);
        Assert.Equal(1, streamed.AdditionalProperties["aries.answer_index"]);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_LastUpdateAlone_CarriesUsageAndTrace()
    {
        IChatClient client = new ScriptedChatClient("draft", "better").AsBuilder().UseSelfRefinement().Build();

        List<ChatResponseUpdate> updates = await client.GetStreamingResponseAsync("x", null, Token).ToListAsync(Token);

        Assert.All(updates[..^1], update =>
        {
            Assert.Null(update.GetRefinementTrace());
            Assert.Empty(update.Contents.OfType<UsageContent>());
        });
        Assert.NotNull(updates[^1].GetRefinementTrace());
        Assert.Single(updates[^1].Contents.OfType<UsageContent>());
    }

    // The third of four drafts equals the second: the chain ends in a turn that was not the last planned one.
    [Fact]
    public async Task GetStreamingResponseAsync_EndsEarly_GivesTheChosenDraftAtOnce()
    {
        IChatClient client = new ScriptedChatClient("one", "two two", "two two").AsBuilder().UseSelfRefinement(options => options.Strategy = new AriesRefinement(turnCount: 4)).Build();

        List<ChatResponseUpdate> updates = await client.GetStreamingResponseAsync("x", null, Token).ToListAsync(Token);

        Assert.Equal("two two", string.Concat(updates.Select(update => update.Text)));
        Assert.Single(updates, update => update.Text.Length > 0);
        Assert.Equal(RefinementStopReason.Unchanged, updates.ToChatResponse().GetRefinementTrace()!.StopReason);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_ChoiceByScore_GivesTheChosenDraftAtOnce()
    {
        IChatClient client = new ScriptedChatClient("longest draft", "short").AsBuilder().UseSelfRefinement(options =>
        {
            options.Scorer = new ScriptedScorer(text => text.Length);
            options.FinalAnswer = FinalAnswer.BestScored;
        }).Build();

        List<ChatResponseUpdate> updates = await client.GetStreamingResponseAsync("x", null, Token).ToListAsync(Token);

        Assert.Equal("longest draft", Assert.Single(updates, update => update.Text.Length > 0).Text);
        Assert.Equal(0, updates.ToChatResponse().AdditionalProperties!["aries.answer_index"]);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_DraftsAskedFor_ComeAsTypedUpdatesBesideTheAnswer()
    {
        IChatClient client = new ScriptedChatClient("good", "Rating: 3/10", "better").AsBuilder().UseSelfRefinement(options => options.Strategy = new SelfRefine(new SelfRefineOptions { TurnCount = 2 })).Build();

        List<ChatResponseUpdate> updates = await client.GetStreamingResponseAsync("x", ((ChatOptions?)null).WithRefinement(streamDrafts: true), Token).ToListAsync(Token);

        RefinementDraftContent[] drafts = [.. updates.SelectMany(update => update.Contents).OfType<RefinementDraftContent>()];
        Assert.Equal("good", string.Concat(drafts.Where(draft => draft is { StepIndex: 0, Kind: RefinementStepKind.Draft }).Select(draft => draft.Text)));
        Assert.Equal("Rating: 3/10", string.Concat(drafts.Where(draft => draft is { StepIndex: 1, Kind: RefinementStepKind.Feedback }).Select(draft => draft.ToString())));
        Assert.DoesNotContain(drafts, draft => draft.StepIndex > 1);
        Assert.Equal("better", updates.ToChatResponse().Text);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_DraftsNotAskedFor_AreNotGiven()
    {
        IChatClient client = new ScriptedChatClient("good", "better").AsBuilder().UseSelfRefinement().Build();

        List<ChatResponseUpdate> updates = await client.GetStreamingResponseAsync("x", null, Token).ToListAsync(Token);

        Assert.Empty(updates.SelectMany(update => update.Contents).OfType<RefinementDraftContent>());
    }

    // A stream with drafts, folded into the history, must not keep the next request from being refined.
    [Fact]
    public async Task GetStreamingResponseAsync_HistoryWithDrafts_IsRefinedAgain()
    {
        ScriptedChatClient inner = new("good", "better", "fine", "finer");
        IChatClient client = inner.AsBuilder().UseSelfRefinement(options => options.StreamDrafts = true).Build();
        List<ChatMessage> history = [new(ChatRole.User, "x")];

        await history.AddMessagesAsync(client.GetStreamingResponseAsync(history, null, Token), cancellationToken: Token);
        history.Add(new ChatMessage(ChatRole.User, "y"));
        ChatResponse response = await client.GetResponseAsync(history, null, Token);

        Assert.Equal("finer", response.Text);
        Assert.Equal("better", inner.Calls[2].Messages[1].Text);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_EmptyRewrite_GivesTheDraftBefore()
    {
        IChatClient client = new ScriptedChatClient("draft", "").AsBuilder().UseSelfRefinement().Build();

        List<ChatResponseUpdate> updates = await client.GetStreamingResponseAsync("x", null, Token).ToListAsync(Token);

        Assert.Equal("draft", updates.ToChatResponse().Text);
        Assert.Equal(0, updates.ToChatResponse().AdditionalProperties!["aries.answer_index"]);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_CutAfterTheAnswerBegan_ThrowsAndDoesNotEndQuietly()
    {
        IOException cut = new("cut");
        IChatClient client = new ScriptedChatClient("draft", "better") { CutStream = call => call.Index == 1 ? cut : null }.AsBuilder().UseSelfRefinement().Build();
        List<string> texts = [];

        IOException thrown = await Assert.ThrowsAsync<IOException>(async () =>
        {
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("x", null, Token))
            {
                texts.Add(update.Text);
            }
        });

        Assert.Same(cut, thrown);
        Assert.Equal(["bet"], texts);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_TimeIsUpBeforeTheAnswerBegan_GivesTheDraft()
    {
        FakeTimeProvider time = new();
        using SelfRefiningChatClient client = new(new TimedClient(time, before: 11, between: 0), new SelfRefinementOptions { TimeBudget = TimeSpan.FromSeconds(10) }, time);

        ChatResponse response = await client.GetStreamingResponseAsync("x", null, Token).ToChatResponseAsync(Token);

        Assert.Equal("draft", response.Text);
        Assert.Equal(RefinementStopReason.TimeBudget, response.GetRefinementTrace()!.StopReason);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_TimeIsUpAfterTheAnswerBegan_FinishesIt()
    {
        FakeTimeProvider time = new();
        using SelfRefiningChatClient client = new(new TimedClient(time, before: 5, between: 60), new SelfRefinementOptions { TimeBudget = TimeSpan.FromSeconds(10) }, time);

        ChatResponse response = await client.GetStreamingResponseAsync("x", null, Token).ToChatResponseAsync(Token);

        Assert.Equal("better", response.Text);
        Assert.Equal(RefinementStopReason.Completed, response.GetRefinementTrace()!.StopReason);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_CancelledWhileTheAnswerStreams_Throws()
    {
        using CancellationTokenSource source = new();
        IChatClient client = new ScriptedChatClient("draft", "a long answer").AsBuilder().UseSelfRefinement(options => options.TimeBudget = TimeSpan.FromHours(1)).Build();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("x", null, source.Token))
            {
                await source.CancelAsync();
            }
        });
    }

    [Fact]
    public async Task GetStreamingResponseAsync_EnumeratedTwice_AsksTwice()
    {
        ScriptedChatClient inner = new("draft", "better", "draft", "better");
        IChatClient client = inner.AsBuilder().UseSelfRefinement().Build();
        IAsyncEnumerable<ChatResponseUpdate> stream = client.GetStreamingResponseAsync("x", null, Token);

        Assert.Equal("better", (await stream.ToChatResponseAsync(Token)).Text);
        Assert.Equal("better", (await stream.ToChatResponseAsync(Token)).Text);

        Assert.Equal(4, inner.Calls.Count);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_OneTurn_IsTheClientsOwnStream()
    {
        IChatClient client = new ScriptedChatClient("answer").AsBuilder().UseSelfRefinement(options => options.MaxTurns = 1).Build();

        List<ChatResponseUpdate> updates = await client.GetStreamingResponseAsync("x", null, Token).ToListAsync(Token);

        Assert.Equal(["ans", "wer"], updates.Select(update => update.Text).Where(text => text.Length > 0));
    }

    [Fact]
    public async Task GetStreamingResponseAsync_ReasoningInTheAnswer_IsKept()
    {
        IChatClient client = new ScriptedChatClient(call => new ChatResponse(new ChatMessage(ChatRole.Assistant, [new TextReasoningContent("hm"), new TextContent($"answer {call.Index}")])))
            .AsBuilder().UseSelfRefinement().Build();

        ChatResponse streamed = await client.GetStreamingResponseAsync("x", null, Token).ToChatResponseAsync(Token);

        Assert.Equal("answer 1", streamed.Text);
        Assert.Equal("hm", Assert.Single(streamed.Messages[0].Contents.OfType<TextReasoningContent>()).Text);
    }

    private sealed class GatedClient(Task seen) : DelegatingChatClient(new ScriptedChatClient("draft"))
    {
        private int _calls;

        public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            if (Interlocked.Increment(ref _calls) == 1)
            {
                yield return new ChatResponseUpdate(ChatRole.Assistant, "draft");
                yield break;
            }

            yield return new ChatResponseUpdate(ChatRole.Assistant, "bet");
            await seen.WaitAsync(TimeSpan.FromSeconds(30), cancellationToken);
            yield return new ChatResponseUpdate(ChatRole.Assistant, "ter");
        }
    }

    private sealed class TimedClient(FakeTimeProvider time, int before, int between) : DelegatingChatClient(new ScriptedChatClient("draft"))
    {
        private int _calls;

        public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            await Task.Yield();
            if (Interlocked.Increment(ref _calls) == 1)
            {
                yield return new ChatResponseUpdate(ChatRole.Assistant, "draft");
                yield break;
            }

            time.Advance(TimeSpan.FromSeconds(before));
            cancellationToken.ThrowIfCancellationRequested();
            yield return new ChatResponseUpdate(ChatRole.Assistant, "bet");
            time.Advance(TimeSpan.FromSeconds(between));
            cancellationToken.ThrowIfCancellationRequested();
            yield return new ChatResponseUpdate(ChatRole.Assistant, "ter");
        }
    }
}
