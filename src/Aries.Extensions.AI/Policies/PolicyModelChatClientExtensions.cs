using Aries.Extensions.AI;
using Microsoft.Extensions.AI;

namespace Aries;

/// <summary>Makes a chat client of a policy model.</summary>
public static class PolicyModelChatClientExtensions
{
    /// <summary>Makes a chat client of a policy model, for an app that speaks <see cref="IChatClient"/>.</summary>
    /// <param name="policy">The policy; the caller disposes it.</param>
    /// <param name="defaults">The values of options that a request leaves unset; null for those of <see cref="SamplingOptions"/>.</param>
    /// <returns>The client.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="policy"/> is null.</exception>
    /// <exception cref="ArgumentException">An option is outside its range.</exception>
    public static IChatClient AsIChatClient(this IPolicyModel policy, SamplingOptions? defaults = null) => new PolicyModelChatClient(policy, defaults);
}
