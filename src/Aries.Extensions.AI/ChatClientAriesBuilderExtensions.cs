using Aries.Extensions.AI;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace Aries;

/// <summary>Adds chat clients to Aries.</summary>
/// <threadsafety>Calls for one builder must follow each other.</threadsafety>
public static class ChatClientAriesBuilderExtensions
{
    /// <summary>Makes a chat client of the container the policy.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Sets how it is asked; null for the defaults.</param>
    /// <param name="serviceKey">The key that the client is registered by (<c>AddKeyedChatClient</c>); null for the one without (<c>AddChatClient</c>).</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException"><paramref name="builder"/> is null, or an option is outside its range.</exception>
    public static IAriesBuilder AddChatClient(this IAriesBuilder builder, Action<ChatClientPolicyOptions>? configure = null, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ChatClientPolicyOptions options = new();
        configure?.Invoke(options);
        options.Validate();
        ChatClientPolicyOptions copy = options.Copy();
        return builder.UsePolicy(services => new ChatClientPolicyModel(GetClient(services, serviceKey), copy));
    }

    /// <summary>Makes a chat client of the container the judge that scores answers.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Sets how it is asked; null for the defaults.</param>
    /// <param name="serviceKey">The key that the client is registered by (<c>AddKeyedChatClient</c>); null for the one without (<c>AddChatClient</c>).</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException"><paramref name="builder"/> is null, or an option is outside its range.</exception>
    public static IAriesBuilder AddChatClientJudge(this IAriesBuilder builder, Action<ChatClientJudgeOptions>? configure = null, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ChatClientJudgeOptions options = new();
        configure?.Invoke(options);
        options.Validate();
        ChatClientJudgeOptions copy = options.Copy();
        return builder.UseScorer(services => new ChatClientRewardScorer(GetClient(services, serviceKey), copy));
    }

    private static IChatClient GetClient(IServiceProvider services, object? serviceKey) => serviceKey is null
        ? services.GetRequiredService<IChatClient>()
        : services.GetRequiredKeyedService<IChatClient>(serviceKey);
}
