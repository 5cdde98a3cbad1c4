using Aries;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers Aries in a container. Everything works without one, too.</summary>
public static class AriesServiceCollectionExtensions
{
    /// <summary>Registers Aries; the builder that it returns chooses the policy and the other parts.</summary>
    /// <param name="services">The services. A second call adds nothing and returns a builder of the same services.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is null.</exception>
    public static IAriesBuilder AddAries(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddSingleton(TimeProvider.System);
        return new AriesBuilder(services);
    }
}
