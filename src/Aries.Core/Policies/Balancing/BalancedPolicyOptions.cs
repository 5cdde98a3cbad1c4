namespace Aries;

/// <summary>Options of <see cref="BalancedPolicyModel"/>.</summary>
/// <threadsafety>Not synchronised: the model copies it.</threadsafety>
public sealed record BalancedPolicyOptions
{
    /// <summary>Gets or sets how often a request is tried in all, each time on another endpoint where there is one that is well.</summary>
    /// <value>1 or greater. The default is 4.</value>
    public int MaxAttempts { get; set; } = 4;

    /// <summary>Gets or sets how long an attempt may take; of a stream, how long its next text may take.</summary>
    /// <value>Greater than 0. The default is null: as long as the endpoint takes.</value>
    public TimeSpan? AttemptTimeout { get; set; }

    /// <summary>Gets or sets how long an endpoint that failed is left alone; each failure after that doubles it.</summary>
    /// <value>Greater than 0. The default is 1 s. After a rest, one request at a time tries the endpoint until one succeeds.</value>
    public TimeSpan Rest { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Gets or sets the longest rest.</summary>
    /// <value><see cref="Rest"/> or greater. The default is 1 minute.</value>
    public TimeSpan MaxRest { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Gets or sets what tells a failure of the endpoint, after which another is tried, from one of the request, which any endpoint would fail.</summary>
    /// <value>The default is null: every failure is the endpoint's. An <see cref="ArgumentException"/>, a <see cref="NotSupportedException"/> and the caller's cancellation are never asked about.</value>
    public Func<Exception, bool>? IsEndpointFailure { get; set; }

    /// <summary>Gets or sets what reads out of a failure how long the endpoint asks to be left alone, such as an HTTP response's <c>Retry-After</c>.</summary>
    /// <value>The default is null: nothing does. A longer time than the rest takes its place; <see cref="MaxRest"/> does not limit it.</value>
    public Func<Exception, TimeSpan?>? RetryAfter { get; set; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and the range.</exception>
    public void Validate()
    {
        if (MaxAttempts < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxAttempts), MaxAttempts, "MaxAttempts must be 1 or greater.");
        }

        if (AttemptTimeout is { } timeout && timeout <= TimeSpan.Zero)
        {
            throw new ArgumentOutOfRangeException(nameof(AttemptTimeout), timeout, "AttemptTimeout must be greater than 0; null switches it off.");
        }

        if (Rest <= TimeSpan.Zero)
        {
            throw new ArgumentOutOfRangeException(nameof(Rest), Rest, "Rest must be greater than 0.");
        }

        if (MaxRest < Rest)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxRest), MaxRest, $"MaxRest must be Rest ({Rest}) or greater.");
        }
    }
}
