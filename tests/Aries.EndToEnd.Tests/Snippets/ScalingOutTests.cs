using Aries.Extensions.AI;
using Aries.Managed;
using Aries.TestKit;

namespace Aries.EndToEnd.Tests.Snippets;

/// <summary>Runs the code of the pages on serving and on scaling out.</summary>
public sealed class ScalingOutTests
{
    [Fact]
    public async Task Collect_TwoServers_GivesTheChainsOfOne()
    {
        Prompt[] prompts = [.. Enumerable.Range(1, 30).Select(i => new Prompt($"Tell story {i}."))];
        ScriptedScorer scorer = new(response => response.Length);
        using ToyPolicyModel toy = new();

        IReadOnlyList<CollectedChain> one = await ScalingOut.CollectAsync([new PolicyModelChatClient(toy)], prompts, scorer);
        IReadOnlyList<CollectedChain> two = await ScalingOut.CollectAsync([new PolicyModelChatClient(toy), new PolicyModelChatClient(toy)], prompts, scorer);

        Assert.Equal(30, one.Count);
        Assert.Equal(Drafts(one), Drafts(two));
        Assert.All(two, chain => Assert.Equal(RefinementStopReason.Completed, chain.Trace.StopReason));

        static IEnumerable<string> Drafts(IEnumerable<CollectedChain> chains) => chains.Select(chain => $"{chain.Trace.Id}: {string.Join('|', chain.Trace.Drafts.Select(draft => draft.Text))}");
    }

    // The commands themselves need a cluster; what is checked is that they are told all that they need.
    [Fact]
    public void Recipes_Commands_NameWhatTheyNeed()
    {
        Assert.Contains("accelerate launch", ScalingOut.CreateTrl().Describe(), StringComparison.Ordinal);
        Assert.Contains("openrlhf.cli.train_dpo", ScalingOut.CreateOpenRlhf().Describe(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Batch_Prompts_GivesWhatEachGetsAlone()
    {
        Prompt[] prompts = ["Once upon a time", "Lily and Tom", "One day, a dog"];
        using ManagedPolicyModel alone = ManagedPolicyModel.Load(TestData.Golden("stories260K-hf"));
        SamplingOptions sampling = new() { Temperature = 0.7f, MaxTokens = 32, Seed = 1 };

        IReadOnlyList<Response> together = await ScalingOut.BatchAsync(TestData.Golden("stories260K-hf"), prompts);

        for (int i = 0; i < prompts.Length; i++)
        {
            Assert.Equal((await alone.GenerateAsync(prompts[i], sampling, TestContext.Current.CancellationToken)).Text, together[i].Text);
        }
    }
}
