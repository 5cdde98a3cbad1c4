namespace Aries;

/// <summary>One of the policies of a <see cref="BalancedPolicyModel"/>, and how many requests it takes at once.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record PolicyEndpoint
{
    /// <summary>Creates an endpoint.</summary>
    /// <param name="name">The name, for messages.</param>
    /// <param name="policy">The policy that answers.</param>
    /// <param name="maxConcurrency">The most requests in flight; 1 or greater. The default is 16.</param>
    /// <exception cref="ArgumentException"><paramref name="name"/> is null or empty, or <paramref name="policy"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxConcurrency"/> is less than 1.</exception>
    public PolicyEndpoint(string name, IPolicyModel policy, int maxConcurrency = 16)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxConcurrency, 1);
        (Name, Policy, MaxConcurrency) = (name, policy, maxConcurrency);
    }

    /// <summary>Gets the name, for messages.</summary>
    public string Name { get; }

    /// <summary>Gets the policy that answers.</summary>
    public IPolicyModel Policy { get; }

    /// <summary>Gets the most requests in flight.</summary>
    public int MaxConcurrency { get; }
}
