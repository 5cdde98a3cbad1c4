using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI.Tests;

public sealed class RefinementTelemetryTests
{
    private const string Secret = "the user's secret";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Request_Spans_AreOneParentAChildATurnAndTheClientsOwnBeneath(bool isStreamed)
    {
        string source = $"chat {isStreamed}";
        ConcurrentQueue<Activity> activities = new();
        using ActivityListener listener = new()
        {
            ShouldListenTo = listened => listened.Name == AriesTelemetry.SourceName || listened.Name == source,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activities.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        using Activity root = new Activity("test").Start();
        IChatClient client = new ScriptedChatClient("draft", "better").AsBuilder().UseSelfRefinement().UseOpenTelemetry(sourceName: source).Build();

        ChatResponse response = isStreamed
            ? await client.GetStreamingResponseAsync(Secret, null, Token).ToChatResponseAsync(Token)
            : await client.GetResponseAsync(Secret, null, Token);

        Activity[] mine = [.. activities.Where(activity => activity.TraceId == root.TraceId)];
        Activity chain = Assert.Single(mine, activity => activity.OperationName == "aries.chain");
        Activity[] steps = [.. mine.Where(activity => activity.OperationName == "aries.step")];
        Activity[] calls = [.. mine.Where(activity => activity.Source.Name == source)];
        Assert.Equal(root.SpanId, chain.ParentSpanId);
        Assert.Equal([chain.SpanId, chain.SpanId], steps.Select(step => step.ParentSpanId));
        Assert.Equal(steps.Select(step => step.SpanId), calls.Select(call => call.ParentSpanId));
        Assert.Equal([0, 1], steps.Select(step => step.GetTagItem("aries.step.index")));
        Assert.Equal(["draft", "draft"], steps.Select(step => step.GetTagItem("aries.step.kind")));
        Assert.Equal(["stop", "stop"], steps.Select(step => step.GetTagItem("aries.finish_reason")));
        Assert.All(calls, call => Assert.Equal("chat", call.GetTagItem("gen_ai.operation.name")));
        Assert.Equal(("refine", "scripted", "script-1", "completed"), (
            chain.GetTagItem("gen_ai.operation.name"), chain.GetTagItem("gen_ai.provider.name"), chain.GetTagItem("gen_ai.request.model"), chain.GetTagItem("aries.stop_reason")));
        Assert.Equal((response.Usage!.InputTokenCount, response.Usage.OutputTokenCount), ((long)chain.GetTagItem("gen_ai.usage.input_tokens")!, (long)chain.GetTagItem("gen_ai.usage.output_tokens")!));
        Assert.DoesNotContain(mine.SelectMany(activity => activity.TagObjects), tag => $"{tag.Value}".Contains(Secret, StringComparison.Ordinal) || $"{tag.Value}".Contains("better", StringComparison.Ordinal));
        Assert.Same(root, Activity.Current);
    }

    [Fact]
    public async Task Request_RewriteFails_MarksItsStepAndTheChain()
    {
        ConcurrentQueue<Activity> activities = new();
        using ActivityListener listener = new()
        {
            ShouldListenTo = listened => listened.Name == AriesTelemetry.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activities.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        using Activity root = new Activity("test").Start();
        IChatClient client = new ScriptedChatClient(call => call.Index == 0 ? ScriptedChatClient.Answer(call, "draft") : throw new IOException(Secret)).AsBuilder().UseSelfRefinement().Build();

        await client.GetResponseAsync("x", null, Token);

        Activity[] mine = [.. activities.Where(activity => activity.TraceId == root.TraceId)];
        Activity[] steps = [.. mine.Where(activity => activity.OperationName == "aries.step")];
        Assert.Equal([ActivityStatusCode.Unset, ActivityStatusCode.Error], steps.Select(step => step.Status));
        Assert.Equal("System.IO.IOException", steps[1].GetTagItem("error.type"));
        Activity chain = Assert.Single(mine, activity => activity.OperationName == "aries.chain");
        Assert.Equal((ActivityStatusCode.Error, "failed"), (chain.Status, chain.GetTagItem("aries.stop_reason")));
        Assert.DoesNotContain(mine, activity => activity.StatusDescription?.Contains(Secret, StringComparison.Ordinal) == true);
    }

    [Fact]
    public async Task Request_Metrics_AreThoseOfTheConventionsACallAndOursAChain()
    {
        const string Source = "chat metrics";
        ConcurrentDictionary<string, int> measurements = new();
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name is Source or AriesTelemetry.SourceName)
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<int>((instrument, _, _, _) => measurements.AddOrUpdate(instrument.Name, 1, (_, count) => count + 1));
        listener.SetMeasurementEventCallback<long>((instrument, _, _, _) => measurements.AddOrUpdate(instrument.Name, 1, (_, count) => count + 1));
        listener.SetMeasurementEventCallback<double>((instrument, _, _, _) => measurements.AddOrUpdate(instrument.Name, 1, (_, count) => count + 1));
        listener.Start();
        IChatClient client = new ScriptedChatClient("draft", "better").AsBuilder().UseSelfRefinement().UseOpenTelemetry(sourceName: Source).Build();

        await client.GetResponseAsync("x", null, Token);

        Assert.Equal(2, measurements["gen_ai.client.operation.duration"]);
        Assert.Equal(4, measurements["gen_ai.client.token.usage"]); // read and written, of two calls
        Assert.True(measurements["aries.chains"] >= 1); // other tests of the process are heard, too
        Assert.True(measurements["aries.drafts"] >= 2);
    }
}
