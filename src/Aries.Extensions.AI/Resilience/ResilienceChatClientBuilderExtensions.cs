using Aries.Extensions.AI;

namespace Microsoft.Extensions.AI;

/// <summary>Adds time limits, repetition, a limit of concurrency and a circuit breaker to a pipeline of chat clients.</summary>
public static class ResilienceChatClientBuilderExtensions
{
    /// <summary>Makes every call of the client beneath resilient. It belongs last, next to the service.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Sets the limits; null for the defaults.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">An argument is null, or an option is outside its range.</exception>
    public static ChatClientBuilder UseResilience(this ChatClientBuilder builder, Action<ChatResilienceOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ChatResilienceOptions options = new();
        configure?.Invoke(options);
        options.Validate();
        ChatResilienceOptions copy = options with { };
        return builder.Use((inner, services) => new ResilientChatClient(inner, copy, services.GetService(typeof(TimeProvider)) as TimeProvider));
    }
}
