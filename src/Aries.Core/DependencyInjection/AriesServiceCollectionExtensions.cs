using Aries;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers Aries in a container. Everything works without one, too.</summary>
public static class AriesServiceCollectionExtensions
{
    /// <summary>Registers <see cref="SelfRefiner"/>, with <see cref="AriesRefinement"/> as its strategy; the builder that this returns chooses the policy and the other parts.</summary>
    /// <param name="services">The services. A second call keeps what the first one and its builder chose; its options are set after theirs.</param>
    /// <param name="configure">Sets the refiner's options; null for the defaults.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is null.</exception>
    public static IAriesBuilder AddAries(this IServiceCollection services, Action<SelfRefinerOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions();
        if (configure is not null)
        {
            services.Configure(configure);
        }

        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IRefinementStrategy>(_ => new AriesRefinement());
        services.TryAddSingleton(CreateRefiner);
        return new AriesBuilder(services);
    }

    private static SelfRefiner CreateRefiner(IServiceProvider services)
    {
        SelfRefinerOptions options = services.GetRequiredService<IOptions<SelfRefinerOptions>>().Value;
        options.Validate();
        return new SelfRefiner(
            services.GetService<IPolicyModel>()
                ?? throw new InvalidOperationException("No policy is chosen. Call UsePolicy on what AddAries returns, or the method of the backend's package."),
            services.GetRequiredService<IRefinementStrategy>(),
            options,
            services.GetService<IRewardScorer>(),
            services.GetRequiredService<TimeProvider>());
    }
}
