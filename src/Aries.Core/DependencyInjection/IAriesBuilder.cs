using Microsoft.Extensions.DependencyInjection;

namespace Aries;

/// <summary>What <c>AddAries</c> returns: packages extend it by one method each that registers their implementation of a contract.</summary>
/// <threadsafety>Not synchronised: registration is the start-up's business, on one thread.</threadsafety>
public interface IAriesBuilder
{
    /// <summary>Gets the services that Aries is registered in.</summary>
    IServiceCollection Services { get; }
}
