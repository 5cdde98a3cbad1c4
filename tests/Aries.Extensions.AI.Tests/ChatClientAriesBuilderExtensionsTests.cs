using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace Aries.Extensions.AI.Tests;

public sealed class ChatClientAriesBuilderExtensionsTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AddChatClient_WithAJudge_RefinesAndScores()
    {
        ScriptedChatClient model = new("draft", "better");
        ScriptedChatClient judge = Judges.Scoring(answer => answer == "draft" ? "9" : "2");
        ServiceCollection services = new();
        services.AddChatClient(model);
        services.AddKeyedChatClient("judge", judge);
        services.AddAries(options => options.FinalAnswer = FinalAnswer.BestScored)
            .AddChatClient(options => options.Template = new ChatOptions { ModelId = "big" })
            .AddChatClientJudge(options => options.Rubric = "Be strict.", serviceKey: "judge")
            .UseStrategy(new AriesRefinement(turnCount: 2));
        await using ServiceProvider provider = services.BuildServiceProvider();

        RefinementResult result = await provider.GetRequiredService<SelfRefiner>().RefineAsync("why?", Token);

        Assert.Equal("draft", result.Answer);
        Assert.Equal([9.0, 2.0], result.Trace.Drafts.Select(draft => draft.Score!.Value.Value));
        Assert.All(model.Calls, call => Assert.Equal("big", call.Options!.ModelId));
        Assert.Contains("Be strict.", judge.Calls[0].Messages[0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void AddChatClient_NoClientRegistered_SaysSoAtTheFirstUse()
    {
        ServiceCollection services = new();
        services.AddAries().AddChatClient();
        using ServiceProvider provider = services.BuildServiceProvider();

        Assert.Throws<InvalidOperationException>(() => provider.GetRequiredService<IPolicyModel>());
    }

    [Fact]
    public void AddChatClient_OptionsOutOfRange_ThrowAtTheCall()
    {
        IAriesBuilder builder = new ServiceCollection().AddAries();

        Assert.Throws<ArgumentOutOfRangeException>(() => builder.AddChatClient(options => options.MaxConcurrency = 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.AddChatClientJudge(options => options.RetryCount = -1));
        Assert.Throws<ArgumentNullException>(() => ((IAriesBuilder)null!).AddChatClient());
    }

    [Fact]
    public async Task UseSelfRefinement_TimeProviderOfTheContainer_IsTheClock()
    {
        Microsoft.Extensions.Time.Testing.FakeTimeProvider time = new();
        ServiceCollection services = new();
        services.AddSingleton<TimeProvider>(time);
        services.AddChatClient(new ScriptedChatClient(call =>
        {
            time.Advance(TimeSpan.FromMinutes(2));
            return ScriptedChatClient.Answer(call, $"draft {call.Index}");
        })).UseSelfRefinement(options => options.TimeBudget = TimeSpan.FromMinutes(1));
        await using ServiceProvider provider = services.BuildServiceProvider();

        ChatResponse response = await provider.GetRequiredService<IChatClient>().GetResponseAsync("x", null, Token);

        Assert.Equal("draft 0", response.Text);
    }
}
