using System.Globalization;
using System.Runtime.CompilerServices;

namespace Aries;

/// <summary>Collects training data: runs a chain for each prompt, scores it, and makes preference pairs of it.</summary>
/// <remarks>
/// <para>
/// Chains move a turn at a time in batches, with <see cref="PreferenceDataCollectorOptions.BatchSize"/> of them in flight at most; when some end, others take their
/// places. Each is given as soon as it and all before it have ended, so a caller that stores what it is given, and later leaves out what is stored, goes on where it was.
/// </para>
/// <para>
/// A chain that fails is given with its error and what came before. These end the collection instead: a <see cref="NotSupportedException"/> or
/// <see cref="ObjectDisposedException"/> of the policy, a <see cref="ScoringException"/>, an exception of the selector, and cancellation.
/// </para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently, as far as the policy, strategy, scorer and selector may.</threadsafety>
public sealed class PreferenceDataCollector
{
    private readonly IPolicyModel _policy;
    private readonly IRefinementStrategy _strategy;
    private readonly IPreferencePairSelector _selector;
    private readonly PreferenceDataCollectorOptions _options;
    private readonly ChainRules _rules;
    private readonly TimeProvider _time;
    private readonly ChainRunner _runner;

    /// <summary>Creates the collector.</summary>
    /// <param name="policy">The policy; the caller disposes it.</param>
    /// <param name="strategy">What is asked in each step.</param>
    /// <param name="selector">Makes the pairs.</param>
    /// <param name="options">How chains are run; null for the defaults. Copied.</param>
    /// <param name="scorer">Scores every draft; null only where the selector needs no scores.</param>
    /// <param name="timeProvider">The clock; null for the system's.</param>
    /// <exception cref="ArgumentNullException"><paramref name="policy"/>, <paramref name="strategy"/> or <paramref name="selector"/> is null.</exception>
    /// <exception cref="ArgumentException">An option is outside its range, or the selector needs scores and there is no scorer.</exception>
    public PreferenceDataCollector(
        IPolicyModel policy,
        IRefinementStrategy strategy,
        IPreferencePairSelector selector,
        PreferenceDataCollectorOptions? options = null,
        IRewardScorer? scorer = null,
        TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(strategy);
        ArgumentNullException.ThrowIfNull(selector);
        options ??= new PreferenceDataCollectorOptions();
        options.Validate();
        if (selector.NeedsScores && scorer is null)
        {
            throw new ArgumentException($"The selector {selector} reads scores, but there is no scorer. Give one, or use a selector that needs none.", nameof(scorer));
        }

        (_policy, _strategy, _selector, _options, _time) = (policy, strategy, selector, options.Copy(), timeProvider ?? TimeProvider.System);
        _rules = _options.ToRules();
        _runner = new ChainRunner(policy, scorer, _time);
    }

    /// <summary>Collects a chain for each prompt; its name is the prompt's index.</summary>
    /// <param name="prompts">What is asked; read as chains begin.</param>
    /// <param name="cancellationToken">Passed to every call of the policy and the scorer.</param>
    /// <returns>One chain a prompt, in order.</returns>
    /// <exception cref="ArgumentException"><paramref name="prompts"/> is null; or, in the enumeration, a prompt is null or blank.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the chains given before are whole.</exception>
    public IAsyncEnumerable<CollectedChain> CollectAsync(IEnumerable<Prompt> prompts, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        return CollectAsync(prompts.Select((prompt, index) => new ChainRequest(index.ToString(CultureInfo.InvariantCulture), prompt)), cancellationToken);
    }

    /// <summary>Collects a chain for each request.</summary>
    /// <param name="requests">Names and prompts; read as chains begin.</param>
    /// <param name="cancellationToken">Passed to every call of the policy and the scorer.</param>
    /// <returns>One chain a request, in order.</returns>
    /// <exception cref="ArgumentException"><paramref name="requests"/> is null; or, in the enumeration, a request is null or its name came before.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the chains given before are whole.</exception>
    public IAsyncEnumerable<CollectedChain> CollectAsync(IEnumerable<ChainRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        return IterateAsync(requests.ToAsyncEnumerable(), cancellationToken);
    }

    /// <summary>Collects a chain for each request of a stream.</summary>
    /// <param name="requests">Names and prompts; read as chains begin. A slow stream is waited for while a place in the batch is free.</param>
    /// <param name="cancellationToken">Passed to every call of the policy and the scorer.</param>
    /// <returns>One chain a request, in order.</returns>
    /// <exception cref="ArgumentException"><paramref name="requests"/> is null; or, in the enumeration, a request is null or its name came before.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the chains given before are whole.</exception>
    public IAsyncEnumerable<CollectedChain> CollectAsync(IAsyncEnumerable<ChainRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        return IterateAsync(requests, cancellationToken);
    }

    private async IAsyncEnumerable<CollectedChain> IterateAsync(
        IAsyncEnumerable<ChainRequest> requests, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        HashSet<string> names = new(StringComparer.Ordinal);
        Queue<Chain> inFlight = new(_options.BatchSize);
        IAsyncEnumerator<ChainRequest> source = requests.GetAsyncEnumerator(cancellationToken);
        try
        {
            bool hasMore = true;
            while (true)
            {
                while (hasMore && inFlight.Count < _options.BatchSize && (hasMore = await source.MoveNextAsync().ConfigureAwait(false)))
                {
                    inFlight.Enqueue(CreateChain(source.Current, names));
                }

                if (inFlight.Count == 0)
                {
                    yield break;
                }

                await _runner.RunTurnAsync([.. inFlight], cancellationToken).ConfigureAwait(false);
                while (inFlight.TryPeek(out Chain? oldest) && oldest.HasEnded)
                {
                    yield return Select(inFlight.Dequeue().Trace);
                }
            }
        }
        finally
        {
            foreach (Chain chain in inFlight)
            {
                chain.Abandon();
            }

            await source.DisposeAsync().ConfigureAwait(false);
        }
    }

    private Chain CreateChain(ChainRequest request, HashSet<string> names)
    {
        ArgumentNullException.ThrowIfNull(request, "requests");
        return names.Add(request.Id)
            ? new Chain(request.Id, request.Id, request.Prompt, _policy, _strategy, _rules, _time)
            : throw new ArgumentException($"The chain name \"{request.Id}\" comes twice. Names must be unique within a collection.", nameof(request));
    }

    private CollectedChain Select(RefinementTrace trace)
    {
        PairSelection selection = _selector.SelectPairs(trace);
        AriesTelemetry.RecordPairs(selection);
        return new CollectedChain(trace, selection);
    }
}
