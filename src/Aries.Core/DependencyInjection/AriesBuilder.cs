using Microsoft.Extensions.DependencyInjection;

namespace Aries;

internal sealed class AriesBuilder(IServiceCollection services) : IAriesBuilder
{
    public IServiceCollection Services { get; } = services;
}
