using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Aries.Core.Tests;

public sealed class AriesTelemetryTests : IDisposable
{
    private readonly LoopFixture _loop = new();

    public void Dispose() => _loop.Dispose();

    // Other tests run meanwhile and are heard too: this run's part is a lower bound, and tags tell the rest.
    [Fact]
    public async Task RunAsync_MeterListener_HearsRoundsChainsDraftsTokensStepsAndPairs()
    {
        ConcurrentDictionary<string, double> sums = [];
        ConcurrentDictionary<string, int> tags = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, target) =>
        {
            if (instrument.Meter.Name == AriesTelemetry.SourceName)
            {
                target.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, measured, _) => Add(instrument, value, measured));
        listener.SetMeasurementEventCallback<double>((instrument, value, measured, _) => Add(instrument, 1, measured));
        listener.Start();

        AriesRunResult result = await _loop.RunAsync();

        // 2 rounds and the state before; per round 5 chains to learn from; 3 evaluations of 3 chains, twice; 3 drafts a chain.
        Assert.True(sums["aries.rounds"] >= 3);
        Assert.True(sums["aries.round.duration"] >= 3);
        Assert.True(sums["aries.chains"] >= 28);
        Assert.True(sums["aries.chain.duration"] >= 28);
        Assert.True(sums["aries.drafts"] >= 84);
        Assert.True(sums["aries.tokens"] >= result.Rounds.Sum(round => round.GeneratedTokenCount));
        Assert.True(sums["aries.training.steps"] >= _loop.Trainer.StepCount);
        Assert.True(sums["aries.pairs"] >= 10);
        Assert.Contains("aries.stop_reason=completed", tags.Keys);
        Assert.Contains("aries.step.kind=draft", tags.Keys);
        Assert.Contains("aries.finish_reason=stop", tags.Keys);
        Assert.Contains("aries.token.type=prompt", tags.Keys);
        Assert.Contains("aries.token.type=response", tags.Keys);
        Assert.Contains("aries.pair.outcome=kept", tags.Keys);

        void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> measured)
        {
            sums.AddOrUpdate(instrument.Name, value, (_, sum) => sum + value);
            foreach ((string key, object? tag) in measured)
            {
                tags.AddOrUpdate($"{key}={tag}", 1, (_, count) => count + 1);
            }
        }
    }

    [Fact]
    public async Task RunAsync_ActivityListener_HearsTheRunAndItsParts()
    {
        ConcurrentBag<Activity> activities = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name == AriesTelemetry.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activities.Add,
        };
        ActivitySource.AddActivityListener(listener);
        using Activity root = new Activity("test").Start();

        await _loop.RunAsync();

        Activity[] mine = [.. activities.Where(activity => activity.TraceId == root.TraceId)];
        Assert.Single(mine, activity => activity.OperationName == "aries.run");
        Assert.Equal(2, mine.Count(activity => activity.OperationName == "aries.collect"));
        Assert.Equal(4, mine.Count(activity => activity.OperationName == "aries.train"));
        Assert.Equal(6, mine.Count(activity => activity.OperationName == "aries.evaluate"));
        Assert.Equal(28, mine.Count(activity => activity.OperationName == "aries.chain"));
    }

    // An observer that throws at the very start ends the run, and its activity with it.
    [Fact]
    public async Task RunAsync_ObserverThrowsAtTheStart_EndsTheActivity()
    {
        ConcurrentBag<Activity> activities = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name == AriesTelemetry.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activities.Add,
        };
        ActivitySource.AddActivityListener(listener);
        using Activity root = new Activity("test").Start();

        await Assert.ThrowsAsync<TimeZoneNotFoundException>(() => _loop.RunAsync(prepare: () => _loop.Observer.OnEvent = _ => throw new TimeZoneNotFoundException()));

        Assert.Single(activities, activity => activity.TraceId == root.TraceId && activity.OperationName == "aries.run");
    }
}
