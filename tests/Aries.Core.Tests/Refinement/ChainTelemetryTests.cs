using System.Diagnostics;
using Aries.TestKit;

namespace Aries.Core.Tests;

public class ChainTelemetryTests
{
    [Fact]
    public async Task CollectAsync_Batch_ChainsAreSiblingsUnderTheCallersActivity()
    {
        // The source is the process's: other tests' chains come here, too, and are told apart by their names.
        List<Activity> ended = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name == AriesTelemetry.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                lock (ended)
                {
                    ended.Add(activity);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        using ScriptedPolicyModel policy = new((request, call) => request.Prompt.Question.Contains("bad", StringComparison.Ordinal)
            ? Response.Failed(new TimeoutException("slow"))
            : ScriptedPolicyModel.Answer(request, $"{call}"));
        PreferenceDataCollector collector = new(policy, new AriesRefinement(2), new RuleBasedSelection());
        using Activity parent = new Activity("caller").Start();

        List<CollectedChain> chains = await collector.CollectAsync(
            [new ChainRequest("telemetry-1", "Q"), new ChainRequest("telemetry-2", "bad"), new ChainRequest("telemetry-3", "Q")], TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);

        Activity[] own = [.. ended.ToArray().Where(activity => activity.GetTagItem("aries.chain.id") is string id && id.StartsWith("telemetry-", StringComparison.Ordinal)).OrderBy(activity => (string?)activity.GetTagItem("aries.chain.id"))];
        Assert.Equal(3, chains.Count);
        Assert.Equal(3, own.Length);
        Assert.All(own, activity => Assert.Equal(parent.SpanId, activity.ParentSpanId));
        Assert.Equal([ActivityStatusCode.Unset, ActivityStatusCode.Error, ActivityStatusCode.Unset], own.Select(activity => activity.Status));
        Assert.Same(parent, Activity.Current);
    }
}
