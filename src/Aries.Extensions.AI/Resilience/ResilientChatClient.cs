using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;

namespace Aries.Extensions.AI;

/// <summary>A chat client whose calls have a time limit, are made again where a failure may pass, are bounded in number, and are not made while the service is down.</summary>
/// <remarks>
/// <para>From the outside in: the limit of calls at once, repetition with exponential back-off and jitter or the wait that the service asks for, the circuit breaker, the time limit of an attempt. By Polly.</para>
/// <para>
/// Only the first update of a stream is waited for under repetition: what a reader has seen is not said twice. A stream that fails later throws. A call that is given up throws the last failure as it is,
/// and a client that does not look at its token is left behind when its time is up.
/// </para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently. All calls share the limits and the circuit breaker.</threadsafety>
public sealed class ResilientChatClient : DelegatingChatClient
{
    private readonly ChatResilienceOptions _options;
    private readonly TimeProvider _time;
    private readonly ResiliencePipeline _pipeline;
    private readonly SemaphoreSlim? _slots;

    /// <summary>Creates the client.</summary>
    /// <param name="innerClient">The client beneath; disposed with this one.</param>
    /// <param name="options">The limits; null for the defaults. Copied.</param>
    /// <param name="timeProvider">The clock of time limits and waits; null for the system's.</param>
    /// <exception cref="ArgumentNullException"><paramref name="innerClient"/> is null.</exception>
    /// <exception cref="ArgumentException">An option is outside its range.</exception>
    public ResilientChatClient(IChatClient innerClient, ChatResilienceOptions? options = null, TimeProvider? timeProvider = null)
        : base(innerClient)
    {
        options ??= new ChatResilienceOptions();
        options.Validate();
        (_options, _time) = (options with { }, timeProvider ?? TimeProvider.System);
        _slots = _options.MaxConcurrency is { } most ? new SemaphoreSlim(most) : null;
        _pipeline = CreatePipeline(_options, _time);
    }

    /// <inheritdoc />
    /// <exception cref="TimeoutException">The last attempt took too long.</exception>
    /// <exception cref="BrokenCircuitException">The circuit breaker is open, and will be for longer than a wait may be.</exception>
    /// <exception cref="ChatServiceException">The response has no finish reason, and must have one.</exception>
    public override async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ChatMessage[] copy = [.. messages];
        await EnterAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await _pipeline.ExecuteAsync(
                static (call, token) => call.Client.AttemptAsync(call.Messages, call.Options, token),
                (Client: this, Messages: copy, Options: options),
                cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _slots?.Release();
        }
    }

    /// <inheritdoc />
    /// <exception cref="TimeoutException">An update took too long to come.</exception>
    /// <exception cref="BrokenCircuitException">The circuit breaker is open, and will be for longer than a wait may be.</exception>
    /// <exception cref="ChatServiceException">The stream ended without a finish reason, and must have one.</exception>
    public override IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return StreamAsync([.. messages], options, cancellationToken);
    }

    /// <inheritdoc />
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _slots?.Dispose();
        }

        base.Dispose(disposing);
    }

    private async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(
        ChatMessage[] messages, ChatOptions? options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await EnterAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            WatchedStream stream = await _pipeline.ExecuteAsync(
                static (call, token) => call.Client.OpenAsync(call.Messages, call.Options, token),
                (Client: this, Messages: messages, Options: options),
                cancellationToken).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                while (stream.Current is { } update)
                {
                    yield return update;
                    await stream.MoveAsync().ConfigureAwait(false);
                }
            }
        }
        finally
        {
            _slots?.Release();
        }
    }

    private async ValueTask<ChatResponse> AttemptAsync(ChatMessage[] messages, ChatOptions? options, CancellationToken cancellationToken)
    {
        using CancellationTokenSource timer = new(_options.CallTimeout, _time);
        using CancellationTokenSource linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer.Token);
        Task<ChatResponse> call = base.GetResponseAsync(messages, options?.Clone(), linked.Token);
        ChatResponse response;
        try
        {
            response = await call.WaitAsync(linked.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException exception)
        {
            // A failure of a call that is left behind is looked at, so that it counts as observed.
            _ = call.ContinueWith(static ended => _ = ended.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            if (timer.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                throw new TimeoutException($"The chat client gave no response within {_options.CallTimeout}. CallTimeout is the limit.", exception);
            }

            throw;
        }

        return response?.FinishReason is null && _options.RequireFinishReason ? throw WasCut("The response") : response!;
    }

    private async ValueTask<WatchedStream> OpenAsync(ChatMessage[] messages, ChatOptions? options, CancellationToken cancellationToken)
    {
        WatchedStream stream = new(token => base.GetStreamingResponseAsync(messages, options?.Clone(), token), _options, _time, cancellationToken);
        try
        {
            await stream.MoveAsync().ConfigureAwait(false);
            return stream;
        }
        catch
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private Task EnterAsync(CancellationToken cancellationToken) => _slots?.WaitAsync(cancellationToken) ?? Task.CompletedTask;

    internal static ChatServiceException WasCut(string what) =>
        new($"{what} ended without a finish reason: it was cut. A client that never reports one needs RequireFinishReason set to false.");

    private static ResiliencePipeline CreatePipeline(ChatResilienceOptions options, TimeProvider time)
    {
        ResiliencePipelineBuilder builder = new() { TimeProvider = time };
        if (options.RetryCount > 0)
        {
            builder.AddRetry(new RetryStrategyOptions
            {
                MaxRetryAttempts = options.RetryCount,
                Delay = options.BaseDelay,
                MaxDelay = options.MaxDelay,
                BackoffType = DelayBackoffType.Exponential,

                // Drawn by Polly, and not from a seed: clients that failed together must not come back together.
                UseJitter = true,
                ShouldHandle = failed => ValueTask.FromResult(!IsGivenUp(failed.Context) && options.IsWorthRepeating(failed.Outcome.Exception)),
                DelayGenerator = failed => ValueTask.FromResult(options.FindDelay(failed.Outcome.Exception)),
            });
        }

        if (options.BreakAtFailureRatio is { } ratio)
        {
            builder.AddCircuitBreaker(new CircuitBreakerStrategyOptions
            {
                FailureRatio = ratio,
                MinimumThroughput = options.MinimumThroughput,
                SamplingDuration = options.SamplingDuration,
                BreakDuration = options.BreakDuration,
                ShouldHandle = failed => ValueTask.FromResult(!IsGivenUp(failed.Context) && failed.Outcome.Exception is { } exception && options.IsTransient(exception)),
            });
        }

        return builder.Build();
    }

    // What the caller cancelled says nothing of the service.
    private static bool IsGivenUp(ResilienceContext context) => context.CancellationToken.IsCancellationRequested;
}
