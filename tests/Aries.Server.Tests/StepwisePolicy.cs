using System.Runtime.CompilerServices;

namespace Aries.Server.Tests;

/// <summary>A policy that writes a token when the test lets it, and counts those that it wrote after its token was cancelled.</summary>
internal sealed class StepwisePolicy : IPolicyModel
{
    private readonly SemaphoreSlim _permits = new(0);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _tokenCount;
    private int _countAtCancellation = -1;

    /// <summary>Gets whether tokens come without a permit, a millisecond apart.</summary>
    public bool RunsFreely { get; init; }

    public int TokenCount => Volatile.Read(ref _tokenCount);

    /// <summary>Gets how many tokens were written after the cancellation; −1 where there was none.</summary>
    public int CountAfterCancellation => _countAtCancellation < 0 ? -1 : TokenCount - _countAtCancellation;

    /// <summary>Gets the task that ends with the first generation.</summary>
    public Task Ended => _ended.Task;

    public SemaphoreSlim Started { get; } = new(0);

    public void Allow(int tokenCount) => _permits.Release(tokenCount);

    public async Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default)
    {
        Response[] responses = new Response[requests.Count];
        for (int i = 0; i < responses.Length; i++)
        {
            await foreach (ResponseUpdate update in GenerateStreamingAsync(requests[i], cancellationToken))
            {
                responses[i] = update.Response ?? responses[i];
            }
        }

        return responses;
    }

    public async IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using CancellationTokenRegistration registration = cancellationToken.Register(() => _countAtCancellation = TokenCount);
        try
        {
            Started.Release();
            for (int token = 0; token < request.Options.MaxTokens; token++)
            {
                // As an engine does: the token is looked at between two tokens, not within one.
                await (RunsFreely ? Task.Delay(1, CancellationToken.None) : _permits.WaitAsync(cancellationToken));
                cancellationToken.ThrowIfCancellationRequested();
                Interlocked.Increment(ref _tokenCount);
                yield return new ResponseUpdate { Text = $"t{token} " };
            }

            string text = string.Concat(Enumerable.Range(0, request.Options.MaxTokens).Select(token => $"t{token} "));
            yield return new ResponseUpdate { Text = "", Response = new Response { Text = text, FinishReason = FinishReason.Length, Usage = new TokenUsage(1, request.Options.MaxTokens) } };
        }
        finally
        {
            _ended.TrySetResult();
        }
    }

    public void Dispose()
    {
    }
}
