using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Aries;

/// <summary>The traces and metrics that Aries emits: an <see cref="ActivitySource"/> and a <see cref="Meter"/>, both named <see cref="SourceName"/>.</summary>
/// <remarks>
/// <para>Nothing is measured or allocated while nobody listens. Texts of prompts and responses are never emitted.</para>
/// <para>
/// Activities: <c>aries.run</c>; within it <c>aries.collect</c>, <c>aries.train</c> and <c>aries.evaluate</c>, each with the tag <c>aries.round</c>;
/// and <c>aries.chain</c> with the tag <c>aries.chain.id</c>, in a run or alone.
/// </para>
/// <list type="table">
/// <listheader><term>instrument</term><description>kind, unit, tags</description></listheader>
/// <item><term>aries.rounds</term><description>counter of committed rounds of a loop, {round}</description></item>
/// <item><term>aries.round.duration</term><description>histogram, s</description></item>
/// <item><term>aries.chains</term><description>counter of ended chains, {chain}; <c>aries.stop_reason</c></description></item>
/// <item><term>aries.chain.duration</term><description>histogram, s; <c>aries.stop_reason</c></description></item>
/// <item><term>aries.drafts</term><description>counter of outputs of the policy, {draft}; <c>aries.step.kind</c>, <c>aries.finish_reason</c></description></item>
/// <item><term>aries.tokens</term><description>counter, {token}; <c>aries.token.type</c>: prompt, response or cached (a part of prompt)</description></item>
/// <item><term>aries.pairs</term><description>counter, {pair}; <c>aries.pair.outcome</c>: kept, or the reason for the drop</description></item>
/// <item><term>aries.training.steps</term><description>counter of optimiser steps of a loop, {step}</description></item>
/// </list>
/// </remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public static class AriesTelemetry
{
    /// <summary>The name of the activity source and of the meter.</summary>
    public const string SourceName = "Aries";

    private static readonly ActivitySource Source = new(SourceName);
    private static readonly Meter Meter = new(SourceName);

    private static readonly Counter<long> Rounds = Meter.CreateCounter<long>("aries.rounds", "{round}", "Committed rounds.");
    private static readonly Histogram<double> RoundDuration = Meter.CreateHistogram<double>("aries.round.duration", "s", "Duration of a round.");
    private static readonly Counter<long> Chains = Meter.CreateCounter<long>("aries.chains", "{chain}", "Ended chains.");
    private static readonly Histogram<double> ChainDuration = Meter.CreateHistogram<double>("aries.chain.duration", "s", "Duration of a chain.");
    private static readonly Counter<long> Drafts = Meter.CreateCounter<long>("aries.drafts", "{draft}", "Outputs of the policy.");
    private static readonly Counter<long> Tokens = Meter.CreateCounter<long>("aries.tokens", "{token}", "Tokens read and written.");
    private static readonly Counter<long> Pairs = Meter.CreateCounter<long>("aries.pairs", "{pair}", "Preference pairs kept and dropped.");
    private static readonly Counter<long> TrainingSteps = Meter.CreateCounter<long>("aries.training.steps", "{step}", "Optimiser steps.");

    /// <summary>Starts an activity; null while nobody listens.</summary>
    internal static Activity? Start(string name) => Source.StartActivity(name);

    /// <summary>Starts the activity of one chain; null while nobody listens.</summary>
    internal static Activity? StartChain(string chainId)
    {
        Activity? activity = Source.StartActivity("aries.chain");
        activity?.SetTag("aries.chain.id", chainId);
        return activity;
    }

    /// <summary>Counts one output of the policy and its tokens. Call it once for each step that a chain takes in.</summary>
    internal static void RecordStep(RefinementStepKind kind, FinishReason finishReason, TokenUsage usage)
    {
        if (Drafts.Enabled)
        {
            Drafts.Add(1, new("aries.step.kind", Name(kind)), new("aries.finish_reason", Name(finishReason)));
        }

        if (Tokens.Enabled)
        {
            AddTokens(usage.PromptTokens, "prompt");
            AddTokens(usage.ResponseTokens, "response");
            AddTokens(usage.CachedPromptTokens, "cached");
        }
    }

    /// <summary>Counts one ended chain.</summary>
    internal static void RecordChain(RefinementStopReason stopReason, TimeSpan duration)
    {
        KeyValuePair<string, object?> tag = new("aries.stop_reason", Name(stopReason));
        Chains.Add(1, tag);
        ChainDuration.Record(duration.TotalSeconds, tag);
    }

    /// <summary>Counts the pairs that a selector kept and dropped.</summary>
    internal static void RecordPairs(PairSelection selection)
    {
        if (!Pairs.Enabled)
        {
            return;
        }

        if (selection.Pairs.Count > 0)
        {
            Pairs.Add(selection.Pairs.Count, new KeyValuePair<string, object?>("aries.pair.outcome", "kept"));
        }

        foreach (string reason in selection.Drops)
        {
            Pairs.Add(1, new KeyValuePair<string, object?>("aries.pair.outcome", reason));
        }
    }

    /// <summary>Counts one optimiser step.</summary>
    internal static void RecordTrainingStep() => TrainingSteps.Add(1);

    /// <summary>Counts one committed round.</summary>
    internal static void RecordRound(TimeSpan duration)
    {
        Rounds.Add(1);
        RoundDuration.Record(duration.TotalSeconds);
    }

    private static void AddTokens(long count, string type)
    {
        if (count > 0)
        {
            Tokens.Add(count, new KeyValuePair<string, object?>("aries.token.type", type));
        }
    }

    private static string Name(RefinementStepKind kind) => kind switch
    {
        RefinementStepKind.Draft => "draft",
        RefinementStepKind.Feedback => "feedback",
        _ => "other",
    };

    private static string Name(FinishReason reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        FinishReason.ContentFilter => "content_filter",
        FinishReason.Error => "error",
        _ => "other",
    };

    private static string Name(RefinementStopReason reason) => reason switch
    {
        RefinementStopReason.Completed => "completed",
        RefinementStopReason.Unchanged => "unchanged",
        RefinementStopReason.NoGain => "no_gain",
        RefinementStopReason.ThresholdReached => "threshold_reached",
        RefinementStopReason.TokenBudget => "token_budget",
        RefinementStopReason.TimeBudget => "time_budget",
        RefinementStopReason.Failed => "failed",
        _ => "other",
    };
}
