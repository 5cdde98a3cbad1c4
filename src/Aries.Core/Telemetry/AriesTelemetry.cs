using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Aries;

/// <summary>The traces and metrics that Aries emits: an <see cref="ActivitySource"/> and a <see cref="Meter"/>, both named <see cref="SourceName"/>.</summary>
/// <remarks>
/// <para>Nothing is measured or allocated while nobody listens. Texts of prompts and responses are never emitted.</para>
/// <para>
/// Activities: <c>aries.run</c>; within it <c>aries.collect</c>, <c>aries.train</c> and <c>aries.evaluate</c>, each with the tag <c>aries.round</c>;
/// and <c>aries.chain</c> with the tag <c>aries.chain.id</c>, in a run or alone; within it an <c>aries.step</c> for each call of the policy. A chain and its steps carry the attributes of the
/// OpenTelemetry conventions for generative AI that they have: <c>gen_ai.operation.name</c> (<c>refine</c>), <c>gen_ai.provider.name</c>, <c>gen_ai.request.model</c>,
/// <c>gen_ai.usage.input_tokens</c>, <c>gen_ai.usage.output_tokens</c>.
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
    internal static Activity? StartChain(string chainId, IPolicyModel policy)
    {
        Activity? activity = Source.StartActivity("aries.chain");
        if (activity is not null)
        {
            PolicyModelMetadata? metadata = policy.GetService<PolicyModelMetadata>();
            activity.SetTag("aries.chain.id", chainId);
            activity.SetTag("gen_ai.operation.name", "refine");
            SetTag(activity, "gen_ai.provider.name", metadata?.ProviderName);
            SetTag(activity, "gen_ai.request.model", metadata?.ModelId);
        }

        return activity;
    }

    /// <summary>Starts the activity of one call of the policy within its chain's; null while nobody listens. It is not made the current one.</summary>
    internal static Activity? StartStep(Activity? chain, int stepIndex, RefinementStepKind kind)
    {
        if (chain is null)
        {
            return null;
        }

        Activity? current = Activity.Current;
        Activity? activity = Source.StartActivity("aries.step", ActivityKind.Internal, chain.Context);
        Activity.Current = current;
        activity?.SetTag("aries.step.index", stepIndex);
        activity?.SetTag("aries.step.kind", Name(kind));
        return activity;
    }

    /// <summary>Ends an activity with what came of it; nothing where it is null.</summary>
    internal static void Stop(Activity? activity, TokenUsage usage, Exception? error, string? reasonTag = null, string? reason = null)
    {
        if (activity is null)
        {
            return;
        }

        SetTag(activity, reasonTag, reason);
        if (usage.TotalTokens > 0)
        {
            activity.SetTag("gen_ai.usage.input_tokens", usage.PromptTokens);
            activity.SetTag("gen_ai.usage.output_tokens", usage.ResponseTokens);
        }

        if (error is not null)
        {
            string type = error.GetType().FullName!;
            activity.SetTag("error.type", type);
            activity.SetStatus(ActivityStatusCode.Error, type);
        }

        activity.Dispose();
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

    private static void SetTag(Activity activity, string? name, string? value)
    {
        if (name is not null && value is not null)
        {
            activity.SetTag(name, value);
        }
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

    internal static string Name(FinishReason reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        FinishReason.ContentFilter => "content_filter",
        FinishReason.Error => "error",
        _ => "other",
    };

    internal static string Name(RefinementStopReason reason) => reason switch
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
