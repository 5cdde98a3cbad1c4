using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Polly.CircuitBreaker;

namespace Aries.Extensions.AI;

/// <summary>How <see cref="ResilientChatClient"/> bounds, repeats and stops calls.</summary>
/// <threadsafety>Not synchronised: a component copies the options that it is given.</threadsafety>
public sealed record ChatResilienceOptions
{
    /// <summary>Gets or sets how long one attempt may take: a whole call, or the wait for each update of a stream, the first included.</summary>
    /// <value>Greater than zero. The default is 2 minutes. An attempt that takes longer is cancelled, and is a <see cref="TimeoutException"/>.</value>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>Gets or sets how often a call that failed for a passing reason is made again. A stream is repeated until its first update only.</summary>
    /// <value>0 or greater. The default is 5.</value>
    public int RetryCount { get; set; } = 5;

    /// <summary>Gets or sets the wait before the first repetition; each further one is twice as long, with jitter.</summary>
    /// <value>Zero or greater. The default is 1 second.</value>
    public TimeSpan BaseDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Gets or sets the longest wait before a repetition. A service that asks for a longer one fails the call at once.</summary>
    /// <value>At least <see cref="BaseDelay"/>. The default is 1 minute.</value>
    public TimeSpan MaxDelay { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Gets or sets the largest number of calls at once, repetitions and waits before them included. Others queue.</summary>
    /// <value>1 or greater. The default is null: no limit.</value>
    public int? MaxConcurrency { get; set; }

    /// <summary>Gets or sets the share of failed attempts at which no call is made for a while: the circuit breaker opens.</summary>
    /// <value>Greater than 0, at most 1. The default is 0.5; null switches it off.</value>
    public double? BreakAtFailureRatio { get; set; } = 0.5;

    /// <summary>Gets or sets the least number of attempts within <see cref="SamplingDuration"/> that the share is computed of.</summary>
    /// <value>2 or greater. The default is 20.</value>
    public int MinimumThroughput { get; set; } = 20;

    /// <summary>Gets or sets the time over which the share is computed.</summary>
    /// <value>At least half a second. The default is 30 seconds.</value>
    public TimeSpan SamplingDuration { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Gets or sets how long no call is made once the circuit breaker is open. Calls that come meanwhile wait as for a repetition.</summary>
    /// <value>At least half a second. The default is 15 seconds.</value>
    public TimeSpan BreakDuration { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Gets or sets whether a response, or the end of a stream, without a finish reason is a failure: the answer was cut.</summary>
    /// <value>The default is false, since not every client reports one. Set it where the service does, and what was cut is never taken for an answer.</value>
    public bool RequireFinishReason { get; set; }

    /// <summary>Gets or sets what tells a failure that may pass from one that will not.</summary>
    /// <value>The default is <see cref="IsTransientFailure"/>. A client with exceptions of its own needs a rule of its own.</value>
    public Func<Exception, bool> IsTransient { get; set; } = IsTransientFailure;

    /// <summary>Gets or sets what reads the wait that a service asks for (<c>Retry-After</c>) out of an exception.</summary>
    /// <value>Returns null where there is none. The default is <see cref="ReadRetryAfter"/>.</value>
    public Func<Exception, TimeSpan?> RetryAfter { get; set; } = ReadRetryAfter;

    /// <summary>Tells whether a failure may pass: no connection, a time limit, a stream that was cut, or the status 408, 429 or 5xx.</summary>
    /// <remarks>
    /// The status is read of an <see cref="HttpRequestException"/>, and of the <c>ClientResultException</c> of System.ClientModel, on which the clients of OpenAI's and Azure's services stand. An
    /// <see cref="AggregateException"/>, in which such a client gives what its own repetitions met, may pass where all of it may.
    /// </remarks>
    /// <param name="exception">The failure.</param>
    /// <exception cref="ArgumentNullException"><paramref name="exception"/> is null.</exception>
    public static bool IsTransientFailure(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return exception switch
        {
            HttpRequestException { StatusCode: { } status } => IsTransientStatus((int)status),
            AggregateException { InnerExceptions: { Count: > 0 } all } => all.All(IsTransientFailure),
            _ when ClientResultFailure.FindStatus(exception) is { } status => status == 0 || IsTransientStatus(status),
            HttpRequestException or IOException or TimeoutException or ChatServiceException => true,

            // The caller's own cancellation never comes here: this one is of a client's time limit.
            OperationCanceledException => true,
            _ => false,
        };
    }

    /// <summary>Reads the header <c>Retry-After</c>, seconds or a date, of the response in a <c>ClientResultException</c> of System.ClientModel.</summary>
    /// <remarks>A date is counted from the response's own <c>Date</c>, so that the two clocks need not agree. An <see cref="HttpRequestException"/> has no headers.</remarks>
    /// <param name="exception">The failure.</param>
    /// <returns>The wait, never negative; null where the exception says none, or nothing that can be read.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="exception"/> is null.</exception>
    public static TimeSpan? ReadRetryAfter(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        if (!RetryConditionHeaderValue.TryParse(ClientResultFailure.FindHeader(exception, "Retry-After"), out RetryConditionHeaderValue? asked))
        {
            return null;
        }

        if (asked.Date is not { } date)
        {
            return asked.Delta;
        }

        DateTimeOffset now = DateTimeOffset.TryParseExact(
            ClientResultFailure.FindHeader(exception, "Date"), "r", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset sent) ? sent : TimeProvider.System.GetUtcNow();
        return date > now ? date - now : TimeSpan.Zero;
    }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException">A function is null.</exception>
    public void Validate()
    {
        TimeSpan half = TimeSpan.FromSeconds(0.5);
        Check(CallTimeout > TimeSpan.Zero && CallTimeout < TimeSpan.FromDays(1), nameof(CallTimeout), CallTimeout, "greater than zero and less than a day");
        Check(RetryCount >= 0, nameof(RetryCount), RetryCount, "0 or greater");
        Check(BaseDelay >= TimeSpan.Zero && BaseDelay < TimeSpan.FromDays(1), nameof(BaseDelay), BaseDelay, "zero or greater and less than a day");
        Check(MaxDelay >= BaseDelay && MaxDelay <= TimeSpan.FromDays(1), nameof(MaxDelay), MaxDelay, $"at least BaseDelay, which is {BaseDelay}, and at most a day");
        Check(MaxConcurrency is null or >= 1, nameof(MaxConcurrency), MaxConcurrency, "1 or greater, or null for no limit");
        Check(BreakAtFailureRatio is null or (> 0 and <= 1), nameof(BreakAtFailureRatio), BreakAtFailureRatio, "greater than 0 and at most 1, or null for no circuit breaker");
        Check(MinimumThroughput >= 2, nameof(MinimumThroughput), MinimumThroughput, "2 or greater");
        Check(SamplingDuration >= half && SamplingDuration < TimeSpan.FromDays(1), nameof(SamplingDuration), SamplingDuration, "half a second or more, and less than a day");
        Check(BreakDuration >= half && BreakDuration < TimeSpan.FromDays(1), nameof(BreakDuration), BreakDuration, "half a second or more, and less than a day");
        ArgumentNullException.ThrowIfNull(IsTransient);
        ArgumentNullException.ThrowIfNull(RetryAfter);

        static void Check(bool isValid, string name, object? value, string range)
        {
            if (!isValid)
            {
                throw new ArgumentOutOfRangeException(name, value, $"{name} must be {range}.");
            }
        }
    }

    private static bool IsTransientStatus(int status) => status is (int)HttpStatusCode.RequestTimeout or (int)HttpStatusCode.TooManyRequests or >= 500;

    /// <summary>Returns the wait that a failure asks for; null where it asks for none.</summary>
    internal TimeSpan? FindDelay(Exception? exception) => exception switch
    {
        null => null,
        BrokenCircuitException broken => broken.RetryAfter ?? BreakDuration,
        _ => RetryAfter(exception) is { } asked ? asked > TimeSpan.Zero ? asked : TimeSpan.Zero : null,
    };

    /// <summary>Tells whether a failed call is made again.</summary>
    internal bool IsWorthRepeating(Exception? exception) =>
        exception is not null && (exception is BrokenCircuitException || IsTransient(exception)) && !(FindDelay(exception) > MaxDelay);
}
