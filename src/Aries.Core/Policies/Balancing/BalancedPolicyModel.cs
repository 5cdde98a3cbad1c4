using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Aries;

/// <summary>Spreads requests over several policies that serve the same model, and tries another when one fails.</summary>
/// <remarks>
/// <para>
/// Each request goes to one endpoint, the least busy that is well; an endpoint gets no more at once than it takes. One that fails, or takes longer than the
/// options allow, rests, and the request goes to another, with the same seed. So each request is answered once, in order, by whichever endpoint; answers depend
/// on the endpoint only as far as two servers of one model give different tokens for one seed. A request without a seed is passed on without one.
/// </para>
/// <para>A request that fails on every attempt has a response with <see cref="FinishReason.Error"/> that carries the last failure; the others go on.</para>
/// <para>
/// A stream is tried elsewhere until its first text. What was given cannot be taken back: a failure after it is thrown, or is the last update's where the endpoint gave it as a response. A stream that
/// fails on every attempt throws the last failure.
/// </para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently; all calls share the endpoints' places. Dispose it when no call runs.</threadsafety>
public sealed class BalancedPolicyModel : IPolicyModel
{
    private readonly PolicyEndpoint[] _endpoints;
    private readonly BalancedPolicyOptions _options;
    private readonly TimeProvider _time;
    private readonly EndpointPool _pool;
    private readonly bool _ownsPolicies;
    private bool _isDisposed;

    /// <summary>Creates the model.</summary>
    /// <param name="endpoints">The endpoints; at least one. They must serve the same weights, tokenizer and template: that cannot be checked here.</param>
    /// <param name="options">How failures are met; null for the defaults. Copied.</param>
    /// <param name="ownsPolicies">Whether disposing this disposes the endpoints' policies.</param>
    /// <param name="timeProvider">The clock; null for the system's.</param>
    /// <exception cref="ArgumentException">There is no endpoint, one is null, two have one name, or an option is outside its range.</exception>
    public BalancedPolicyModel(
        IReadOnlyList<PolicyEndpoint> endpoints, BalancedPolicyOptions? options = null, bool ownsPolicies = false, TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        options ??= new BalancedPolicyOptions();
        options.Validate();
        _endpoints = [.. endpoints];
        if (_endpoints.Length == 0 || _endpoints.Contains(null!) || _endpoints.DistinctBy(endpoint => endpoint.Name).Count() < _endpoints.Length)
        {
            throw new ArgumentException($"There are {_endpoints.Length} endpoints: give at least one, none of them null, each with a name of its own.", nameof(endpoints));
        }

        (_options, _ownsPolicies, _time) = (options with { }, ownsPolicies, timeProvider ?? TimeProvider.System);
        _pool = new EndpointPool(_endpoints, _options, _time);
    }

    /// <inheritdoc />
    public async Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        GenerationRequest[] copy = [.. requests];
        int missing = Array.IndexOf(copy, null);
        if (missing >= 0)
        {
            throw new ArgumentException($"Request {missing} of {copy.Length} is null.", nameof(requests));
        }

        // As many workers as there are places, not one a request: whoever waits is woken at each change.
        Response[] responses = new Response[copy.Length];
        using CancellationTokenSource failure = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        int next = -1;
        ExceptionDispatchInfo? first = null;
        await Task.WhenAll(Enumerable.Range(0, Math.Min(copy.Length, _pool.Capacity)).Select(_ => AnswerAllAsync())).ConfigureAwait(false);
        first?.Throw();
        return responses;

        async Task AnswerAllAsync()
        {
            try
            {
                for (int index = Interlocked.Increment(ref next); index < copy.Length; index = Interlocked.Increment(ref next))
                {
                    responses[index] = await AnswerAsync(copy[index], failure.Token).ConfigureAwait(false);
                }
            }
            catch (Exception exception)
            {
                // A failure of the call, not of a request: the other workers need not go on, and that they were stopped is not what failed.
                Interlocked.CompareExchange(ref first, ExceptionDispatchInfo.Capture(exception), null);
                await failure.CancelAsync().ConfigureAwait(false);
            }
        }
    }

    /// <inheritdoc />
    public IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return StreamAsync(request, cancellationToken);
    }

    /// <inheritdoc />
    /// <remarks>The metadata are the first endpoint's. No other face is given: a call to one endpoint would go past its limit.</remarks>
    public object? GetService(Type serviceType)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceType.IsInstanceOfType(this) ? this
            : serviceType == typeof(PolicyModelMetadata) ? _endpoints[0].Policy.GetService(serviceType)
            : null;
    }

    /// <summary>Lets the policies go, where this owns them. Later calls throw <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        if (!_isDisposed && _ownsPolicies)
        {
            foreach (PolicyEndpoint endpoint in _endpoints)
            {
                endpoint.Policy.Dispose();
            }
        }

        _isDisposed = true;
    }

    private async Task<Response> AnswerAsync(GenerationRequest request, CancellationToken cancellationToken)
    {
        PolicyEndpoint? last = null;
        for (int attempt = 1; ; attempt++)
        {
            PolicyEndpoint endpoint = await _pool.TakeAsync(last, cancellationToken).ConfigureAwait(false);
            Exception? failure = null;
            bool hasAnswered = false;
            bool isOfEndpoint = false;
            try
            {
                using Deadline deadline = new(_options.AttemptTimeout, _time, cancellationToken);
                IReadOnlyList<Response> responses = await WaitAsync(endpoint.Policy.GenerateAsync([request], deadline.Token), deadline, cancellationToken).ConfigureAwait(false);
                Response response = responses is [{ } only] ? only : throw new InvalidOperationException($"The endpoint {endpoint.Name} gave {responses?.Count ?? 0} responses to one request.");
                if (response.FinishReason != FinishReason.Error)
                {
                    hasAnswered = true;
                    return response;
                }

                failure = response.Error ?? new InvalidOperationException($"The endpoint {endpoint.Name} reports an error without saying which.");
            }
            catch (Exception exception) when (IsFailure(exception, cancellationToken))
            {
                failure = exception;
            }
            finally
            {
                isOfEndpoint = Return(endpoint, failure, hasAnswered);
            }

            if (attempt == _options.MaxAttempts || !isOfEndpoint)
            {
                return Response.Failed(failure);
            }

            last = endpoint;
        }
    }

    private async IAsyncEnumerable<ResponseUpdate> StreamAsync(GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        PolicyEndpoint? last = null;
        bool hasText = false;
        for (int attempt = 1; ; attempt++)
        {
            PolicyEndpoint endpoint = await _pool.TakeAsync(last, cancellationToken).ConfigureAwait(false);
            Exception? failure = null;
            bool hasAnswered = false;
            bool isOfEndpoint = false;
            EndpointStream stream = new(endpoint, request, _options.AttemptTimeout, _time, cancellationToken);
            try
            {
                while (!hasAnswered && failure is null)
                {
                    ResponseUpdate? update = null;
                    try
                    {
                        update = await stream.ReadAsync().ConfigureAwait(false);
                        failure = update.Response is { FinishReason: FinishReason.Error, Error: var error }
                            ? error ?? new InvalidOperationException($"The endpoint {endpoint.Name} reports an error without saying which.")
                            : null;
                    }
                    catch (Exception exception) when (IsFailure(exception, cancellationToken))
                    {
                        failure = exception;
                    }

                    if (update is not null && (failure is null || hasText))
                    {
                        hasText |= update.Text.Length > 0;
                        hasAnswered = update.Response is not null;
                        yield return update;
                    }
                }
            }
            finally
            {
                try
                {
                    await stream.DisposeAsync().ConfigureAwait(false);
                }
                finally
                {
                    isOfEndpoint = Return(endpoint, failure, hasAnswered && failure is null);
                }
            }

            if (hasAnswered)
            {
                yield break;
            }

            if (hasText || attempt == _options.MaxAttempts || !isOfEndpoint)
            {
                ExceptionDispatchInfo.Throw(failure!);
            }

            last = endpoint;
        }
    }

    /// <summary>Gives the place back, whatever the caller's rules do.</summary>
    /// <returns>Whether there was a failure, and it was the endpoint's.</returns>
    private bool Return(PolicyEndpoint endpoint, Exception? failure, bool hasAnswered)
    {
        bool isOfEndpoint = false;
        TimeSpan? retryAfter = null;
        try
        {
            isOfEndpoint = failure is not null && (_options.IsEndpointFailure?.Invoke(failure) ?? true);
            retryAfter = isOfEndpoint ? _options.RetryAfter?.Invoke(failure!) : null;
            return isOfEndpoint;
        }
        finally
        {
            if (isOfEndpoint)
            {
                _pool.ReturnFailed(endpoint, retryAfter);
            }
            else
            {
                _pool.Return(endpoint, hasAnswered);
            }
        }
    }

    // The caller's mistake, what no endpoint honours, and the caller's cancellation go to the caller.
    private static bool IsFailure(Exception exception, CancellationToken cancellationToken) => exception switch
    {
        ArgumentException or NotSupportedException => false,
        OperationCanceledException => !cancellationToken.IsCancellationRequested,
        _ => true,
    };

    /// <summary>Waits for a call no longer than its deadline, whether it heeds its token or not.</summary>
    internal static async Task<T> WaitAsync<T>(Task<T> call, Deadline deadline, CancellationToken cancellationToken)
    {
        try
        {
            return await call.WaitAsync(deadline.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException exception)
        {
            // A failure that nobody waits for any more is looked at, so that it counts as observed.
            _ = call.ContinueWith(static ended => _ = ended.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            cancellationToken.ThrowIfCancellationRequested();
            throw deadline.HasPassed ? new TimeoutException("The endpoint did not answer within AttemptTimeout.", exception) : exception;
        }
    }
}
