using Aries.Extensions.AI;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace Aries.EndToEnd.Tests.Snippets;

/// <summary>The code of docs/guides/chat-clients.md, and of README.md where it speaks of chat clients.</summary>
internal static class ChatClients
{
    public static async Task<ChatResponse> RefineAsync(IChatClient chatClient)
    {
        #region refine
        IChatClient client = chatClient.AsBuilder().UseSelfRefinement().Build();

        ChatResponse response = await client.GetResponseAsync("Why is the sky blue?");
        Console.WriteLine($"{response.Text} ({response.GetRefinementTrace()?.Drafts.Count()} drafts, {response.Usage?.TotalTokenCount} tokens)");
        #endregion
        return response;
    }

    public static IChatClient BuildPipeline(IChatClient chatClient)
    {
        #region pipeline
        IChatClient client = chatClient.AsBuilder()
            .UseSelfRefinement(options =>
            {
                options.Strategy = new AriesRefinement(turnCount: 3);
                options.TokenBudget = 4000; // of all calls of a request
                options.TimeBudget = TimeSpan.FromSeconds(30);
            })
            .UseOpenTelemetry() // a span and the metrics of each call
            .UseResilience(options => options.MaxConcurrency = 8)
            .Build();
        #endregion
        return client;
    }

    public static async Task<ChatResponse> StreamAsync(IChatClient client, Action<string> showDraft, Action<string> showAnswer)
    {
        ChatOptions? options = null;
        List<ChatResponseUpdate> updates = [];
        #region stream
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("Why is the sky blue?", options.WithRefinement(streamDrafts: true)))
        {
            foreach (RefinementDraftContent draft in update.Contents.OfType<RefinementDraftContent>())
            {
                showDraft(draft.Text);
            }

            showAnswer(update.Text);
            updates.Add(update);
        }
        #endregion
        return updates.ToChatResponse();
    }

    public static async Task<(ChatResponse Careful, ChatResponse Quick)> ChooseAsync(IChatClient client, ChatOptions options)
    {
        #region per-request
        ChatResponse careful = await client.GetResponseAsync("Is 9.11 greater than 9.9?", options.WithRefinement(maxTurns: 4, tokenBudget: 8000));
        ChatResponse quick = await client.GetResponseAsync("Say hello.", options.WithoutRefinement());
        #endregion
        return (careful, quick);
    }

    public static IChatClient BuildBestOf(IChatClient chatClient, IChatClient judgeClient)
    {
        #region best-of
        ChatClientRewardScorer judge = new(judgeClient, new ChatClientJudgeOptions { Rubric = "A good answer is right, and says how sure it is." });
        IChatClient client = chatClient.AsBuilder().UseBestOf(4, judge).Build();
        #endregion
        return client;
    }

    public static async Task<CollectionReport> CollectAsync(IChatClient chatClient, IChatClient judgeClient, IReadOnlyList<Prompt> prompts, string pairFile)
    {
        #region collect
        using IPolicyModel policy = chatClient.AsBuilder().UseResilience().Build().AsPolicyModel(options => options.MaxConcurrency = 32);
        PreferenceDataCollector collector = new(
            policy,
            new AriesRefinement(turnCount: 4),
            new FilteredSelection(new RewardModelSelection()),
            new PreferenceDataCollectorOptions { BatchSize = 64 },
            new ChatClientRewardScorer(judgeClient));

        CollectionReport report = new();
        List<PreferencePair> pairs = [];
        await foreach (CollectedChain chain in collector.CollectAsync(prompts))
        {
            report.Add(chain);
            pairs.AddRange(chain.Selection.Pairs);
        }

        await PreferenceJsonl.WriteAsync(pairFile, pairs);
        #endregion
        return report;
    }

    public static async Task<PositionBiasReport> CompareAsync(IChatClient judgeClient, IReadOnlyList<PairwiseRequest> pairs)
    {
        #region pairwise
        ChatClientPairwiseJudge judge = new(judgeClient);
        IReadOnlyList<PairwiseVerdict> verdicts = await judge.CompareAsync(pairs);

        PositionBiasReport bias = PositionBiasReport.Of(verdicts);
        Console.WriteLine($"{verdicts.Count(verdict => verdict.Outcome == PairwiseOutcome.First)} won, {bias.Consistency:P0} alike in both orders");
        #endregion
        return bias;
    }

    public static IChatClient Serve(IPolicyModel policy)
    {
        #region local
        IChatClient client = policy.AsIChatClient(new SamplingOptions { Temperature = 0.7f, MaxTokens = 256 })
            .AsBuilder()
            .UseSelfRefinement()
            .Build();
        #endregion
        return client;
    }

    public static IServiceCollection AddClients(IServiceCollection services, IChatClient chatClient, IChatClient judgeClient)
    {
        #region container
        services.AddChatClient(chatClient).UseResilience();
        services.AddKeyedChatClient("judge", judgeClient);
        services.AddAries(options => options.FinalAnswer = FinalAnswer.BestScored)
            .AddChatClient() // the policy
            .AddChatClientJudge(serviceKey: "judge");
        #endregion
        return services;
    }
}
