using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Aries;

/// <summary>Chooses the parts that Aries works with. Each contract has one implementation: the last call wins.</summary>
/// <remarks>The container creates a part from a factory once, at its first use, and disposes it; an instance stays the caller's to dispose.</remarks>
public static class AriesBuilderExtensions
{
    /// <summary>Chooses the policy.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="policy">The policy; the caller disposes it.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IAriesBuilder UsePolicy(this IAriesBuilder builder, IPolicyModel policy) => Use(builder, policy);

    /// <summary>Chooses the policy.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="factory">Makes the policy; the container disposes it.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IAriesBuilder UsePolicy(this IAriesBuilder builder, Func<IServiceProvider, IPolicyModel> factory) => Use(builder, factory);

    /// <summary>Chooses the loader of checkpoints, which <see cref="AriesLoop"/> loads each round's policy with.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="factory">Makes the loader.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IAriesBuilder UsePolicyLoader(this IAriesBuilder builder, Func<IServiceProvider, IPolicyModelLoader> factory) => Use(builder, factory);

    /// <summary>Chooses the trainer, which may be of another engine than the policy.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="factory">Makes the trainer.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IAriesBuilder UseTrainer(this IAriesBuilder builder, Func<IServiceProvider, IPolicyTrainer> factory) => Use(builder, factory);

    /// <summary>Chooses the scorer.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="scorer">The scorer; the caller disposes it if it needs that.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IAriesBuilder UseScorer(this IAriesBuilder builder, IRewardScorer scorer) => Use(builder, scorer);

    /// <summary>Chooses the scorer.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="factory">Makes the scorer.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IAriesBuilder UseScorer(this IAriesBuilder builder, Func<IServiceProvider, IRewardScorer> factory) => Use(builder, factory);

    /// <summary>Chooses the refinement strategy.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="strategy">The strategy.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IAriesBuilder UseStrategy(this IAriesBuilder builder, IRefinementStrategy strategy) => Use(builder, strategy);

    /// <summary>Chooses the refinement strategy.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="factory">Makes the strategy.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IAriesBuilder UseStrategy(this IAriesBuilder builder, Func<IServiceProvider, IRefinementStrategy> factory) => Use(builder, factory);

    /// <summary>Chooses the selector of preference pairs.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="selector">The selector.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IAriesBuilder UseSelector(this IAriesBuilder builder, IPreferencePairSelector selector) => Use(builder, selector);

    /// <summary>Chooses the selector of preference pairs.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="factory">Makes the selector.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IAriesBuilder UseSelector(this IAriesBuilder builder, Func<IServiceProvider, IPreferencePairSelector> factory) => Use(builder, factory);

    /// <summary>Registers <see cref="AriesLoop"/>, made of the chosen loader, trainer, strategy, selector and scorer, and told to every registered <see cref="IAriesLoopObserver"/>.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Sets the loop's options; null for the defaults.</param>
    /// <param name="chooseParts">Changes the loop's parts, for those that the builder does not choose (a true scorer, say); null for none.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static IAriesBuilder AddLoop(
        this IAriesBuilder builder,
        Action<AriesLoopOptions>? configure = null,
        Func<IServiceProvider, AriesLoopParts, AriesLoopParts>? chooseParts = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (configure is not null)
        {
            builder.Services.Configure(configure);
        }

        builder.Services.RemoveAll<AriesLoop>().AddSingleton(services => CreateLoop(services, chooseParts));
        return builder;
    }

    private static AriesLoop CreateLoop(IServiceProvider services, Func<IServiceProvider, AriesLoopParts, AriesLoopParts>? chooseParts)
    {
        AriesLoopParts parts = new()
        {
            Loader = Chosen<IPolicyModelLoader>(services, nameof(UsePolicyLoader)),
            Trainer = Chosen<IPolicyTrainer>(services, nameof(UseTrainer)),
            Strategy = Chosen<IRefinementStrategy>(services, nameof(UseStrategy)),
            Selector = Chosen<IPreferencePairSelector>(services, nameof(UseSelector)),
            Scorer = services.GetService<IRewardScorer>(),
            Observers = [.. services.GetServices<IAriesLoopObserver>()],
        };
        return new AriesLoop(
            chooseParts?.Invoke(services, parts) ?? parts,
            services.GetRequiredService<IOptions<AriesLoopOptions>>().Value,
            services.GetService<TimeProvider>(),
            services.GetService<ILogger<AriesLoop>>());
    }

    private static TService Chosen<TService>(IServiceProvider services, string method)
        where TService : class =>
        services.GetService<TService>()
        ?? throw new InvalidOperationException($"No {typeof(TService).Name} is chosen. Call {method} on what AddAries returns, or the method of the backend's package.");

    private static IAriesBuilder Use<TService>(IAriesBuilder builder, TService instance)
        where TService : class
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(instance);
        builder.Services.RemoveAll<TService>().AddSingleton(instance);
        return builder;
    }

    private static IAriesBuilder Use<TService>(IAriesBuilder builder, Func<IServiceProvider, TService> factory)
        where TService : class
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(factory);
        builder.Services.RemoveAll<TService>().AddSingleton(factory);
        return builder;
    }
}
