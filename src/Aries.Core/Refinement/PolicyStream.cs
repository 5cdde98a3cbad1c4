namespace Aries;

/// <summary>Reads one streamed response for a chain, and hands the whole of it, or its failure, to the chain.</summary>
internal sealed class PolicyStream(IPolicyModel policy, Chain chain, GenerationRequest request, Deadline deadline, CancellationToken cancellationToken) : IAsyncDisposable
{
    private IAsyncEnumerator<ResponseUpdate>? _updates;
    private Response? _response;

    /// <summary>Returns the next text, or null when the chain has got the response or its failure.</summary>
    public async Task<string?> ReadAsync()
    {
        try
        {
            using (new ChainRunner.ActivityScope(chain.StepActivity))
            {
                _updates ??= policy.GenerateStreamingAsync(request, deadline.Token).GetAsyncEnumerator(deadline.Token);
                if (await _updates.MoveNextAsync().ConfigureAwait(false))
                {
                    _response = _updates.Current.Response ?? _response;
                    return _updates.Current.Text;
                }
            }
        }
        catch (OperationCanceledException) when (deadline.HasPassed)
        {
            chain.End(RefinementStopReason.TimeBudget);
            return null;
        }
        catch (Exception exception) when (ChainRunner.IsChainFailure(exception, cancellationToken))
        {
            chain.Fail(exception);
            return null;
        }

        chain.Accept([_response ?? throw new InvalidOperationException($"The stream of the policy {policy} ended without a response; its last update must carry one.")]);
        return null;
    }

    public ValueTask DisposeAsync() => _updates?.DisposeAsync() ?? ValueTask.CompletedTask;
}
