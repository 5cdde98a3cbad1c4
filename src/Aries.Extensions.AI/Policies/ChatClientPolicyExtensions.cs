using Aries;
using Aries.Extensions.AI;

namespace Microsoft.Extensions.AI;

/// <summary>Makes a policy model of a chat client.</summary>
public static class ChatClientPolicyExtensions
{
    /// <summary>Makes a policy model of a chat client, to refine, to collect data and to evaluate with.</summary>
    /// <param name="client">The client; the caller disposes it.</param>
    /// <param name="configure">Sets how it is asked; null for the defaults.</param>
    /// <returns>The model.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="client"/> is null.</exception>
    /// <exception cref="ArgumentException">An option is outside its range.</exception>
    public static IPolicyModel AsPolicyModel(this IChatClient client, Action<ChatClientPolicyOptions>? configure = null)
    {
        ChatClientPolicyOptions options = new();
        configure?.Invoke(options);
        return new ChatClientPolicyModel(client, options);
    }
}
