using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Aries.TestKit;

/// <summary>A policy that answers what a test says; it records what it is asked, and can fail or take its time.</summary>
/// <threadsafety>Every member may be called concurrently; settings are made before the first call.</threadsafety>
public sealed class ScriptedPolicyModel : IPolicyModel
{
    private readonly Func<GenerationRequest, int, Response> _answer;
    private readonly ConcurrentQueue<GenerationRequest> _requests = new();
    private readonly ConcurrentQueue<int> _batchSizes = new();
    private int _callCount;
    private int _running;
    private int _mostRunning;

    /// <summary>Creates a policy that answers by a function of the request and the zero-based index of the call.</summary>
    public ScriptedPolicyModel(Func<GenerationRequest, int, Response> answer) => _answer = answer;

    /// <summary>Creates a policy that answers by a function of the request's text.</summary>
    public ScriptedPolicyModel(Func<string, string> answer)
        : this((request, _) => Answer(request, answer(request.Prompt.Question)))
    {
    }

    /// <summary>Creates a policy whose n-th call answers every request with the n-th text; the last text repeats.</summary>
    public ScriptedPolicyModel(params string[] texts)
        : this((request, call) => Answer(request, texts[Math.Min(call, texts.Length - 1)]))
    {
    }

    /// <summary>Gets the zero-based call that throws <see cref="Failure"/>; null for none.</summary>
    public int? FailAtCall { get; init; }

    /// <summary>Gets what is thrown.</summary>
    public Exception Failure { get; init; } = new InvalidOperationException("scripted failure");

    /// <summary>Gets how long a call takes, on <see cref="TimeProvider"/>.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Gets the clock of <see cref="Delay"/>.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Gets the number of calls.</summary>
    public int CallCount => Volatile.Read(ref _callCount);

    /// <summary>Gets all requests, in order.</summary>
    public IReadOnlyList<GenerationRequest> Requests => [.. _requests];

    /// <summary>Gets the number of requests of each call, in order.</summary>
    public IReadOnlyList<int> BatchSizes => [.. _batchSizes];

    /// <summary>Gets the most calls that ran at once.</summary>
    public int MaxConcurrency => Volatile.Read(ref _mostRunning);

    /// <summary>Gets whether the model is disposed.</summary>
    public bool IsDisposed { get; private set; }

    /// <summary>Makes a response that counts a token a character.</summary>
    public static Response Answer(GenerationRequest request, string text, FinishReason finishReason = FinishReason.Stop) => new()
    {
        Text = text,
        FinishReason = finishReason,
        Usage = new TokenUsage(request.Prompt.Sum(turn => turn.Text.Length), text.Length),
    };

    /// <inheritdoc />
    public async Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default)
    {
        int call = await BeginAsync(requests, cancellationToken);
        try
        {
            return [.. requests.Select(request => _answer(request, call))];
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    /// <inheritdoc />
    public async IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(
        GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        int call = await BeginAsync([request], cancellationToken);
        try
        {
            Response response = _answer(request, call);
            for (int index = 0; index < response.Text.Length; index += 3)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return new ResponseUpdate { Text = response.Text.Substring(index, Math.Min(3, response.Text.Length - index)) };
            }

            yield return new ResponseUpdate { Text = "", Response = response };
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    /// <inheritdoc />
    public void Dispose() => IsDisposed = true;

    private async Task<int> BeginAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        cancellationToken.ThrowIfCancellationRequested();
        int call = Interlocked.Increment(ref _callCount) - 1;
        int running = Interlocked.Increment(ref _running);
        InterlockedMax(ref _mostRunning, running);
        _batchSizes.Enqueue(requests.Count);
        foreach (GenerationRequest request in requests)
        {
            _requests.Enqueue(request);
        }

        try
        {
            if (Delay > TimeSpan.Zero)
            {
                await Task.Delay(Delay, TimeProvider, cancellationToken);
            }

            if (call == FailAtCall)
            {
                throw Failure;
            }
        }
        catch
        {
            Interlocked.Decrement(ref _running);
            throw;
        }

        return call;
    }

    private static void InterlockedMax(ref int target, int value)
    {
        int seen = Volatile.Read(ref target);
        while (value > seen && Interlocked.CompareExchange(ref target, value, seen) is int now && now != seen)
        {
            seen = now;
        }
    }
}
