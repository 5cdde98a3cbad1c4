using System.Net;
using Aries;

namespace OpenAICompatibleServer;

/// <summary>How the server runs.</summary>
internal sealed record ServerOptions
{
    /// <summary>Gets the address to listen on. The default is this machine alone.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>Gets the port; 0 takes a free one.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>Gets the key that clients must send, or null for none.</summary>
    public string? ApiKey { get; init; }

    /// <summary>Gets the name that the model is served under; null for its own.</summary>
    public string? ModelName { get; init; }

    /// <summary>Gets the answers of a refined request: the direct one and the rewrites.</summary>
    public int TurnCount { get; init; } = 3;

    /// <summary>Gets the template of the rewrites; a trained model wants the one that it was trained with.</summary>
    public RefinementTemplate Template { get; init; } = RefinementTemplate.Default;

    /// <summary>Gets the most requests that are answered at once.</summary>
    public int MaxConcurrency { get; init; } = 256;

    /// <summary>Gets the most requests that wait for a place; more are told to come again.</summary>
    public int MaxQueueLength { get; init; } = 256;

    /// <summary>Gets the largest body of a request, in bytes.</summary>
    public long MaxRequestBytes { get; init; } = 1024 * 1024;

    /// <summary>Gets how long running answers may go on when the server stops.</summary>
    public TimeSpan ShutdownGrace { get; init; } = TimeSpan.FromSeconds(10);
}
