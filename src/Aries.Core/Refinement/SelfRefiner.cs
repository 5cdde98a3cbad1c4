using System.Runtime.CompilerServices;

namespace Aries;

/// <summary>Answers prompts by refinement: the policy writes, rewrites, and one of its drafts is returned with the whole chain.</summary>
/// <remarks>
/// <para>
/// The strategy says what is asked, the options say when a chain stops and which draft is the answer. With <see cref="ParallelSampling"/> in the
/// strategy's place the same type is the direct answer, best-of-N and the majority vote: see <see cref="Baselines"/>.
/// </para>
/// <para>
/// A failure of the policy or the scorer becomes <see cref="RefinementResult.Error"/>, the trace up to it kept, unless the options say to throw. These always
/// throw: a <see cref="NotSupportedException"/> or <see cref="ObjectDisposedException"/> of the policy, a <see cref="ScoringException"/>, and cancellation.
/// </para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently, as far as the policy, strategy and scorer may.</threadsafety>
public sealed class SelfRefiner
{
    private readonly IPolicyModel _policy;
    private readonly IRefinementStrategy _strategy;
    private readonly SelfRefinerOptions _options;
    private readonly ChainRules _rules;
    private readonly TimeProvider _time;
    private readonly ChainRunner _runner;

    /// <summary>Creates the refiner.</summary>
    /// <param name="policy">The policy; the caller disposes it.</param>
    /// <param name="strategy">What is asked in each step.</param>
    /// <param name="options">When a chain stops and which draft is the answer; null for the defaults. Copied.</param>
    /// <param name="scorer">Scores every draft, for the options and the trace; null for no scores.</param>
    /// <param name="timeProvider">The clock; null for the system's.</param>
    /// <exception cref="ArgumentNullException"><paramref name="policy"/> or <paramref name="strategy"/> is null.</exception>
    /// <exception cref="ArgumentException">An option is outside its range, contradicts another, or needs a scorer where there is none.</exception>
    public SelfRefiner(
        IPolicyModel policy, IRefinementStrategy strategy, SelfRefinerOptions? options = null, IRewardScorer? scorer = null, TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(strategy);
        options ??= new SelfRefinerOptions();
        options.Validate();
        if (scorer is null && options.OptionThatNeedsScorer() is { } name)
        {
            throw new ArgumentException($"{name} reads scores, but there is no scorer. Give one, or leave the option out.", nameof(options));
        }

        (_policy, _strategy, _options, _time) = (policy, strategy, options.Copy(), timeProvider ?? TimeProvider.System);
        _rules = _options.ToRules();
        _runner = new ChainRunner(policy, scorer, _time);
    }

    /// <summary>Answers one prompt.</summary>
    /// <param name="prompt">What is asked.</param>
    /// <param name="cancellationToken">Passed to every call of the policy and the scorer.</param>
    /// <returns>The answer and the chain.</returns>
    /// <exception cref="ArgumentException"><paramref name="prompt"/> is null or blank.</exception>
    /// <exception cref="RefinementException">The chain failed, and the options say to throw.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task<RefinementResult> RefineAsync(Prompt prompt, CancellationToken cancellationToken = default)
    {
        IReadOnlyList<RefinementResult> results = await RefineAsync([prompt], cancellationToken).ConfigureAwait(false);
        return results[0];
    }

    /// <summary>Answers a batch of prompts, all chains a turn at a time. Each gets what it would get alone.</summary>
    /// <param name="prompts">What is asked. An empty list gives an empty list.</param>
    /// <param name="cancellationToken">Passed to every call of the policy and the scorer.</param>
    /// <returns>One result a prompt, in order; its trace's id is the prompt's index.</returns>
    /// <exception cref="ArgumentException"><paramref name="prompts"/> is null, or a prompt is null or blank.</exception>
    /// <exception cref="RefinementException">A chain failed, and the options say to throw.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task<IReadOnlyList<RefinementResult>> RefineAsync(IReadOnlyList<Prompt> prompts, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        for (int index = 0; index < prompts.Count; index++)
        {
            ThrowIfBlank(prompts[index], index);
        }

        Chain[] chains = [.. prompts.Select(CreateChain)];
        try
        {
            while (await _runner.RunTurnAsync(chains, cancellationToken).ConfigureAwait(false))
            {
                ThrowIfFailed(chains);
            }

            return [.. chains.Select(CreateResult)];
        }
        finally
        {
            Array.ForEach(chains, chain => chain.Abandon());
        }
    }

    /// <summary>Answers one prompt, giving drafts as they come.</summary>
    /// <param name="prompt">What is asked.</param>
    /// <param name="cancellationToken">Passed to every call of the policy and the scorer.</param>
    /// <returns>
    /// For each step a <see cref="StepStartedUpdate"/>, its text and a <see cref="StepCompletedUpdate"/>; at the end one <see cref="RefinementCompletedUpdate"/>.
    /// A step that fails is not completed.
    /// </returns>
    /// <exception cref="ArgumentException"><paramref name="prompt"/> is null or blank; thrown by the call, not by the enumeration.</exception>
    /// <exception cref="RefinementException">The chain failed, and the options say to throw.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public IAsyncEnumerable<RefinementUpdate> RefineStreamingAsync(Prompt prompt, CancellationToken cancellationToken = default)
    {
        ThrowIfBlank(prompt, 0);
        return StreamAsync(prompt, cancellationToken);
    }

    private async IAsyncEnumerable<RefinementUpdate> StreamAsync(Prompt prompt, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Chain chain = CreateChain(prompt, 0);
        try
        {
            while (chain.Next() is { } step)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (step.Requests.Count == 1)
                {
                    yield return StartedUpdate(chain.PendingStart, step);
                    using Deadline deadline = new(chain.TimeLeft, _time, cancellationToken);
                    PolicyStream stream = new(_policy, chain, step.Requests[0], deadline, cancellationToken);
                    await using (stream.ConfigureAwait(false))
                    {
                        while (await stream.ReadAsync().ConfigureAwait(false) is { } text)
                        {
                            if (text.Length > 0)
                            {
                                yield return new StepTextUpdate(chain.PendingStart, text);
                            }
                        }
                    }
                }
                else
                {
                    await _runner.GenerateAsync([chain], cancellationToken).ConfigureAwait(false);
                    foreach (RefinementUpdate update in SampleUpdates(chain, step))
                    {
                        yield return update;
                    }
                }

                await _runner.EndTurnAsync([chain], cancellationToken).ConfigureAwait(false);
                IReadOnlyList<TraceStep> steps = chain.Trace.Steps;
                for (int index = chain.PendingStart; index < steps.Count; index++)
                {
                    yield return new StepCompletedUpdate(index, steps[index]);
                }

                ThrowIfFailed(chain);
            }

            yield return new RefinementCompletedUpdate(CreateResult(chain));
        }
        finally
        {
            chain.Abandon();
        }
    }

    // Samples are drawn together, so each is told of when it is whole.
    private IEnumerable<RefinementUpdate> SampleUpdates(Chain chain, PendingStep step)
    {
        IReadOnlyList<TraceStep> steps = chain.Trace.Steps;
        for (int index = chain.PendingStart; index < steps.Count; index++)
        {
            yield return StartedUpdate(index, step);
            if (steps[index].Text.Length > 0)
            {
                yield return new StepTextUpdate(index, steps[index].Text);
            }
        }
    }

    private StepStartedUpdate StartedUpdate(int index, PendingStep step)
    {
        bool isFinal = step.IsLast && step.Requests.Count == 1 && step.Step.Kind == RefinementStepKind.Draft && _options.FinalAnswer == FinalAnswer.Last;
        return new StepStartedUpdate(index, step.Step.Kind, isFinal);
    }

    private Chain CreateChain(Prompt prompt, int index) =>
        new(index.ToString(System.Globalization.CultureInfo.InvariantCulture), Seeds.KeyOf(prompt), prompt, _policy, _strategy, _rules, _time);

    private RefinementResult CreateResult(Chain chain)
    {
        RefinementTrace trace = chain.Trace;
        TraceStep[] drafts = [.. trace.Drafts];
        int? index = AnswerChoice.Choose(drafts, _options);
        return new RefinementResult
        {
            Answer = index is { } chosen ? drafts[chosen].Text : null,
            AnswerIndex = index,
            Trace = trace,
            StopReason = trace.StopReason!.Value,
            Error = chain.Error,
            Duration = chain.Duration,
        };
    }

    private void ThrowIfFailed(params ReadOnlySpan<Chain> chains)
    {
        if (_options.OnFailure != FailureBehavior.Throw)
        {
            return;
        }

        foreach (Chain chain in chains)
        {
            if (chain.Error is { } error)
            {
                throw new RefinementException(chain.Trace, error);
            }
        }
    }

    private static void ThrowIfBlank(Prompt prompt, int index)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        if (prompt.IsBlank)
        {
            throw new ArgumentException($"The prompt at index {index} is blank: its last turn holds nothing but white space. Ask something.", nameof(prompt));
        }
    }
}
