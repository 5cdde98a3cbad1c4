using System.Diagnostics;
using System.Text;

namespace Aries;

/// <summary>The state of one chain: what to ask next, what came of it, and whether it goes on. Inference, streaming and data collection move it alike.</summary>
/// <remarks>
/// One turn: <see cref="Next"/>, then <see cref="Accept"/> with the responses, then <see cref="AcceptScores"/> if there is a scorer, then <see cref="EndTurn"/>.
/// </remarks>
internal sealed class Chain
{
    private readonly string _id;
    private readonly string _seedKey;
    private readonly Prompt _prompt;
    private readonly IRefinementStrategy _strategy;
    private readonly ChainRules _rules;
    private readonly TimeProvider _time;
    private readonly long _startedAt;
    private readonly Activity? _activity;
    private readonly List<TraceStep> _steps = [];
    private RefinementTrace? _trace;
    private PendingStep? _pending;
    private RefinementStopReason? _stopReason;
    private int _stepCount;
    private int _turnCount;
    private int _pendingStart;
    private double? _bestScore;
    private string? _lastDraft;
    private long _tokenCount;
    private double _tokensPerCharacter;
    private bool _isAtEnd;
    private Activity? _stepActivity;

    public Chain(string id, string seedKey, Prompt prompt, IPolicyModel policy, IRefinementStrategy strategy, ChainRules rules, TimeProvider time)
    {
        (_id, _seedKey, _prompt, _strategy, _rules, _time) = (id, seedKey, prompt, strategy, rules, time);
        _startedAt = time.GetTimestamp();

        // Chains of a batch are siblings: none becomes the parent of the next.
        Activity? parent = Activity.Current;
        _activity = AriesTelemetry.StartChain(id, policy);
        Activity.Current = parent;
    }

    public bool HasEnded => _stopReason is not null;

    public bool HasDraft => _turnCount > 0;

    public Exception? Error { get; private set; }

    public TimeSpan Duration { get; private set; }

    /// <summary>Gets the activity of the running step, which a call of the policy for this chain alone belongs to.</summary>
    public Activity? StepActivity => _stepActivity;

    public RefinementTrace Trace => _trace ??= new RefinementTrace
    {
        Id = _id,
        Prompt = _prompt,
        Steps = [.. _steps],
        StopReason = _stopReason,
        Error = Error?.Message,
    };

    /// <summary>Gets the step of the running turn.</summary>
    public PendingStep Pending => _pending!;

    /// <summary>Gets the index of the first step of the trace that the running turn writes.</summary>
    public int PendingStart => _pendingStart;

    /// <summary>Gets the time that is left, or null where no budget limits the running turn: the first turn is always finished.</summary>
    public TimeSpan? TimeLeft => _rules.TimeBudget is { } budget && HasDraft ? budget - _time.GetElapsedTime(_startedAt) : null;

    /// <summary>Returns what to ask next, or null when the chain has ended.</summary>
    public PendingStep? Next()
    {
        if (HasEnded)
        {
            return null;
        }

        if (_strategy.NextStep(Trace) is not { } step)
        {
            End(RefinementStopReason.Completed);
            return null;
        }

        if (TimeLeft <= TimeSpan.Zero)
        {
            End(RefinementStopReason.TimeBudget);
            return null;
        }

        SamplingOptions sampling = _stepCount == 0 ? _rules.Sampling : _rules.RefinementSampling;
        if (ExceedsTokenBudget(step, sampling))
        {
            End(RefinementStopReason.TokenBudget);
            return null;
        }

        bool isLast = step.IsLast || (step.Kind == RefinementStepKind.Draft && _turnCount + 1 == _rules.MaxTurns);
        _pendingStart = _steps.Count;
        _stepActivity = AriesTelemetry.StartStep(_activity, _pendingStart, step.Kind);
        return _pending = new PendingStep(step, CreateRequests(step, sampling), isLast);
    }

    /// <summary>Takes in the responses to <see cref="Next"/>; a failed one ends the chain, with the others kept.</summary>
    public void Accept(IReadOnlyList<Response> responses)
    {
        PendingStep pending = _pending!;
        Exception? failure = null;
        foreach (Response response in responses)
        {
            if (response.FinishReason == FinishReason.Error)
            {
                failure ??= response.Error ?? new InvalidOperationException("The policy reports an error without saying which.");
                continue;
            }

            TraceStep step = new()
            {
                Kind = pending.Step.Kind,
                Text = ToWellFormed(response.Text),
                FinishReason = response.FinishReason,
                Usage = response.Usage,
            };
            CountTokens(pending.Step.Prompt, step);
            AriesTelemetry.RecordStep(step.Kind, step.FinishReason, step.Usage);
            _steps.Add(step);
        }

        EndStep(failure);
        _trace = null;
        _stepCount++;
        _isAtEnd = pending.IsLast;
        if (pending.Step.Kind == RefinementStepKind.Draft && _steps.Count > _pendingStart)
        {
            _turnCount++;
        }

        if (failure is not null)
        {
            Fail(failure);
        }
    }

    /// <summary>Adds the requests that score the drafts of the running turn.</summary>
    /// <returns>The number of requests added.</returns>
    public int AddScoringRequests(List<ScoringRequest> requests)
    {
        int before = requests.Count;
        for (int index = _pendingStart; index < _steps.Count; index++)
        {
            if (_steps[index].Kind == RefinementStepKind.Draft)
            {
                requests.Add(new ScoringRequest(_prompt, _steps[index].Text));
            }
        }

        return requests.Count - before;
    }

    /// <summary>Takes in the scores of the drafts of the running turn, in their order.</summary>
    public void AcceptScores(IReadOnlyList<RewardScore> scores, int start)
    {
        for (int index = _pendingStart; index < _steps.Count; index++)
        {
            if (_steps[index].Kind == RefinementStepKind.Draft)
            {
                _steps[index] = _steps[index] with { Score = scores[start++] };
            }
        }

        _trace = null;
    }

    /// <summary>Applies the stop rules to the drafts of the running turn.</summary>
    public void EndTurn()
    {
        if (!HasEnded && _pending?.Step.Kind == RefinementStepKind.Draft)
        {
            ApplyStopRules();
        }

        if (!HasEnded && _isAtEnd)
        {
            End(RefinementStopReason.Completed);
        }
    }

    /// <summary>Ends the chain with an error.</summary>
    public void Fail(Exception error)
    {
        if (!HasEnded)
        {
            Error = error;
            End(RefinementStopReason.Failed);
        }
    }

    /// <summary>Ends the chain.</summary>
    public void End(RefinementStopReason reason)
    {
        _stopReason = reason;
        _trace = null;
        Duration = _time.GetElapsedTime(_startedAt);
        AriesTelemetry.RecordChain(reason, Duration);
        EndStep(Error);
        if (_activity is not null)
        {
            AriesTelemetry.Stop(_activity, Trace.Usage, Error, "aries.stop_reason", AriesTelemetry.Name(reason));
        }
    }

    /// <summary>Closes the activities of a chain that is given up: cancelled, or left by its reader.</summary>
    public void Abandon()
    {
        _stepActivity?.Dispose();
        _activity?.Dispose();
    }

    private void EndStep(Exception? error)
    {
        if (_stepActivity is { } activity)
        {
            TokenUsage usage = default;
            for (int index = _pendingStart; index < _steps.Count; index++)
            {
                usage += _steps[index].Usage;
            }

            bool hasOutput = error is null && _steps.Count > _pendingStart;
            AriesTelemetry.Stop(activity, usage, error, "aries.finish_reason", hasOutput ? AriesTelemetry.Name(_steps[^1].FinishReason) : null);
            _stepActivity = null;
        }
    }

    private GenerationRequest[] CreateRequests(RefinementStep step, SamplingOptions sampling)
    {
        // An answer after another one is a rewrite of it, whatever the strategy.
        string? prediction = step.Kind == RefinementStepKind.Draft ? _lastDraft : null;
        GenerationRequest[] requests = new GenerationRequest[step.SampleCount];
        for (int sample = 0; sample < requests.Length; sample++)
        {
            SamplingOptions own = sampling.Seed is { } seed ? sampling with { Seed = Seeds.Derive(seed, _seedKey, _stepCount, sample) } : sampling;
            requests[sample] = GenerationRequest.Of(step.Prompt, own, prediction);
        }

        return requests;
    }

    private bool ExceedsTokenBudget(RefinementStep step, SamplingOptions sampling)
    {
        if (_rules.TokenBudget is not { } budget || _stepCount == 0)
        {
            return false;
        }

        double prompt = Math.Ceiling(LengthOf(step.Prompt) * _tokensPerCharacter);
        return _tokenCount + (step.SampleCount * (prompt + sampling.MaxTokens)) > budget;
    }

    private void CountTokens(Prompt prompt, TraceStep step)
    {
        if (_rules.TokenBudget is not null && step.Usage.TotalTokens == 0 && step.Text.Length > 0)
        {
            throw new NotSupportedException("TokenBudget is set, but the policy reports no token usage. Use a policy that does, or set TokenBudget to null.");
        }

        _tokenCount += step.Usage.TotalTokens;
        _tokensPerCharacter = Math.Max(_tokensPerCharacter, (double)step.Usage.PromptTokens / Math.Max(1, LengthOf(prompt)));
    }

    private void ApplyStopRules()
    {
        double? best = BestOfTurn();
        bool isUnchanged = _steps.Count - _pendingStart == 1 && _steps[^1].Text == _lastDraft;
        _lastDraft = _steps[^1].Text;
        double? bestBefore = _bestScore;
        _bestScore = best is null || bestBefore > best ? bestBefore : best;
        if (best >= _rules.ScoreThreshold)
        {
            End(RefinementStopReason.ThresholdReached);
        }
        else if (_rules.StopWhenUnchanged && isUnchanged)
        {
            End(RefinementStopReason.Unchanged);
        }
        else if (_rules.MinimumGain is { } gain && best <= bestBefore + gain)
        {
            End(RefinementStopReason.NoGain);
        }
    }

    private double? BestOfTurn()
    {
        double? best = null;
        for (int index = _pendingStart; index < _steps.Count; index++)
        {
            if (_steps[index].Score is { IsValid: true } score && !(score.Value <= best))
            {
                best = score.Value;
            }
        }

        return best;
    }

    private static int LengthOf(Prompt prompt)
    {
        int length = 0;
        for (int index = 0; index < prompt.Count; index++)
        {
            length += prompt[index].Text.Length;
        }

        return length;
    }

    // A lone surrogate has no form in UTF-8: a chain that is stored and read again must be the chain that was.
    private static string ToWellFormed(string text) =>
        text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0 ? text : Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
