using System.Diagnostics;

namespace Aries;

/// <summary>Moves a batch of chains a turn at a time: one call of the policy a turn, then one of the scorer.</summary>
internal sealed class ChainRunner(IPolicyModel policy, IRewardScorer? scorer, TimeProvider time)
{
    /// <summary>Moves each chain that has not ended by one turn.</summary>
    /// <returns>Whether a chain moved; false when all had ended.</returns>
    public async Task<bool> RunTurnAsync(IReadOnlyList<Chain> chains, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        List<Chain> turn = new(chains.Count);
        foreach (Chain chain in chains)
        {
            if (chain.Next() is not null)
            {
                turn.Add(chain);
            }
        }

        if (turn.Count == 0)
        {
            return false;
        }

        await GenerateAsync(turn, cancellationToken).ConfigureAwait(false);
        await EndTurnAsync(turn, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>Generates one turn of chains that began together, within their time budget.</summary>
    public async Task GenerateAsync(IReadOnlyList<Chain> turn, CancellationToken cancellationToken)
    {
        using Deadline deadline = new(turn[0].TimeLeft, time, cancellationToken);
        try
        {
            await GenerateOrSplitAsync(turn, deadline, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (deadline.HasPassed)
        {
            foreach (Chain chain in turn.Where(chain => !chain.HasEnded))
            {
                chain.End(RefinementStopReason.TimeBudget);
            }
        }
    }

    /// <summary>Scores the drafts of the running turn and applies the stop rules.</summary>
    public async Task EndTurnAsync(IReadOnlyList<Chain> chains, CancellationToken cancellationToken)
    {
        if (scorer is not null)
        {
            await ScoreAsync(scorer, chains, cancellationToken).ConfigureAwait(false);
        }

        foreach (Chain chain in chains)
        {
            chain.EndTurn();
        }
    }

    /// <summary>Tells whether an exception of the policy or the scorer ends a chain, rather than the call: a caller's mistake and a broken contract do not become data.</summary>
    public static bool IsChainFailure(Exception exception, CancellationToken cancellationToken) => exception switch
    {
        OperationCanceledException => !cancellationToken.IsCancellationRequested,
        NotSupportedException or ObjectDisposedException or ScoringException => false,
        _ => true,
    };

    // A policy refuses a batch as a whole when one prompt cannot be answered (a refinement prompt that outgrew the context, say):
    // halves find the culprit in few calls, and the others go on.
    private async Task GenerateOrSplitAsync(IReadOnlyList<Chain> turn, Deadline deadline, CancellationToken cancellationToken)
    {
        IReadOnlyList<GenerationRequest> requests = turn.Count == 1 ? turn[0].Pending.Requests : [.. turn.SelectMany(chain => chain.Pending.Requests)];
        IReadOnlyList<Response>? responses;
        try
        {
            using (Enter(turn))
            {
                responses = await policy.GenerateAsync(requests, deadline.Token).ConfigureAwait(false);
            }
        }
        catch (ArgumentException) when (turn.Count > 1)
        {
            int half = turn.Count / 2;
            await GenerateOrSplitAsync([.. turn.Take(half)], deadline, cancellationToken).ConfigureAwait(false);
            await GenerateOrSplitAsync([.. turn.Skip(half)], deadline, cancellationToken).ConfigureAwait(false);
            return;
        }
        catch (Exception exception) when (!deadline.IsCancelledBy(exception) && IsChainFailure(exception, cancellationToken))
        {
            foreach (Chain chain in turn)
            {
                chain.Fail(exception);
            }

            return;
        }

        Distribute(turn, requests.Count, responses);
    }

    private void Distribute(IReadOnlyList<Chain> turn, int requestCount, IReadOnlyList<Response>? responses)
    {
        if (responses?.Count != requestCount || responses.Contains(null!))
        {
            throw new InvalidOperationException($"The policy {policy} gave {responses?.Count ?? 0} responses to {requestCount} requests; it must give one a request, none of them null.");
        }

        int start = 0;
        foreach (Chain chain in turn)
        {
            int count = chain.Pending.Requests.Count;
            chain.Accept(new ListSlice<Response>(responses, start, count));
            start += count;
        }
    }

    private static async Task ScoreAsync(IRewardScorer scorer, IReadOnlyList<Chain> chains, CancellationToken cancellationToken)
    {
        List<ScoringRequest> requests = [];
        int[] counts = new int[chains.Count];
        for (int index = 0; index < chains.Count; index++)
        {
            counts[index] = chains[index].AddScoringRequests(requests);
        }

        IReadOnlyList<RewardScore> scores;
        try
        {
            scores = await scorer.ScoreCheckedAsync(requests, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (IsChainFailure(exception, cancellationToken))
        {
            for (int index = 0; index < chains.Count; index++)
            {
                if (counts[index] > 0)
                {
                    chains[index].Fail(exception);
                }
            }

            return;
        }

        int start = 0;
        for (int index = 0; index < chains.Count; index++)
        {
            chains[index].AcceptScores(scores, start);
            start += counts[index];
        }
    }

    // Spans of a backend belong to the step where the call serves one chain alone.
    private static ActivityScope Enter(IReadOnlyList<Chain> turn) => new(turn.Count == 1 ? turn[0].StepActivity : null);

    /// <summary>Makes an activity the current one for a while.</summary>
    internal readonly struct ActivityScope : IDisposable
    {
        private readonly Activity? _before;
        private readonly bool _isSet;

        public ActivityScope(Activity? activity)
        {
            (_before, _isSet) = (Activity.Current, activity is not null);
            if (_isSet)
            {
                Activity.Current = activity;
            }
        }

        public void Dispose()
        {
            if (_isSet)
            {
                Activity.Current = _before;
            }
        }
    }
}
