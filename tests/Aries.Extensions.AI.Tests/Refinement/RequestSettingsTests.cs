using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI.Tests;

public sealed class RequestSettingsTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task WithRefinement_MaxTurns_HoldsForThisRequestOnly()
    {
        ScriptedChatClient inner = new(call => ScriptedChatClient.Answer(call, $"draft {call.Index}"));
        IChatClient client = inner.AsBuilder().UseSelfRefinement(options =>
        {
            options.Strategy = new AriesRefinement(turnCount: 4);
            options.MaxTurns = 2;
        }).Build();

        ChatResponse usual = await client.GetResponseAsync("x", null, Token);
        ChatResponse more = await client.GetResponseAsync("x", ((ChatOptions?)null).WithRefinement(maxTurns: 4), Token);

        Assert.Equal((2, 4), (usual.GetRefinementTrace()!.Steps.Count, more.GetRefinementTrace()!.Steps.Count));
        Assert.All(inner.Calls, call => Assert.Null(call.Options?.AdditionalProperties));
    }

    [Fact]
    public void WithRefinement_Options_AreCopiedAndKeepTheRest()
    {
        ChatOptions options = new() { Temperature = 0.5f, AdditionalProperties = new() { ["own"] = 1 } };

        ChatOptions with = options.WithRefinement(maxTurns: 3);
        ChatOptions without = with.WithoutRefinement();

        Assert.Single(options.AdditionalProperties!);
        Assert.Equal((0.5f, 3), (with.Temperature, with.AdditionalProperties!["aries.refinement.max_turns"]));
        Assert.Equal((true, false), (with.AdditionalProperties["aries.refinement.enabled"], without.AdditionalProperties!["aries.refinement.enabled"]));
    }

    // A front end hands settings on as text or JSON.
    [Theory]
    [InlineData("3")]
    [InlineData(3L)]
    public async Task Settings_AsOtherTypes_AreRead(object value)
    {
        IChatClient client = new ScriptedChatClient("a", "b", "c").AsBuilder().UseSelfRefinement(options => options.Strategy = new AriesRefinement(turnCount: 4)).Build();

        ChatResponse response = await client.GetResponseAsync("x", new ChatOptions { AdditionalProperties = new() { ["aries.refinement.max_turns"] = value } }, Token);

        Assert.Equal(3, response.GetRefinementTrace()!.Steps.Count);
    }

    [Theory]
    [InlineData("aries.refinement.max_turns", "many")]
    [InlineData("aries.refinement.max_turns", 0)]
    [InlineData("aries.refinement.token_budget", -1L)]
    [InlineData("aries.refinement.time_budget_seconds", "NaN")]
    [InlineData("aries.refinement.time_budget_seconds", -1e300)]
    [InlineData("aries.refinement.enabled", "perhaps")]
    public async Task Settings_OutOfRange_AreArgumentErrors(string name, object value)
    {
        ScriptedChatClient inner = new("x");
        IChatClient client = inner.AsBuilder().UseSelfRefinement().Build();

        await Assert.ThrowsAnyAsync<ArgumentException>(() => client.GetResponseAsync("x", new ChatOptions { AdditionalProperties = new() { [name] = value } }, Token));

        Assert.Empty(inner.Calls);
    }

    [Fact]
    public async Task WithRefinement_EndlessTime_IsNoLimit()
    {
        IChatClient client = new ScriptedChatClient("a", "b").AsBuilder().UseSelfRefinement().Build();

        Assert.Equal("b", (await client.GetResponseAsync("x", ((ChatOptions?)null).WithRefinement(timeBudget: TimeSpan.MaxValue), Token)).Text);
    }

    [Fact]
    public void WithRefinement_OutOfRange_Throws()
    {
        ChatOptions options = new();

        Assert.Throws<ArgumentOutOfRangeException>(() => options.WithRefinement(maxTurns: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => options.WithRefinement(tokenBudget: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => options.WithRefinement(timeBudget: TimeSpan.Zero));
    }

    [Fact]
    public void GetRefinementTrace_NoneOrSpoiled_IsNullOrSaysSo()
    {
        Assert.Null(new ChatResponse().GetRefinementTrace());
        Assert.Null(new ChatResponseUpdate().GetRefinementTrace());
        Assert.Throws<JsonlFormatException>(() => new ChatResponse { AdditionalProperties = new() { ["aries.trace"] = "spoiled" } }.GetRefinementTrace());
    }
}
