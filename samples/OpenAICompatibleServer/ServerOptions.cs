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

    /// <summary>Checks every number, so that a wrong one ends the start and not a request.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is outside its range; the message names it and the range.</exception>
    public void Validate()
    {
        Check(Port, 0, ushort.MaxValue, nameof(Port));
        Check(TurnCount, 1, int.MaxValue, nameof(TurnCount));
        Check(MaxConcurrency, 1, int.MaxValue, nameof(MaxConcurrency));
        Check(MaxQueueLength, 0, int.MaxValue, nameof(MaxQueueLength));
        Check(MaxRequestBytes, 1, long.MaxValue, nameof(MaxRequestBytes));
        Check(ShutdownGrace, TimeSpan.Zero, TimeSpan.FromDays(1), nameof(ShutdownGrace));

        static void Check<T>(T value, T least, T most, string name)
            where T : IComparable<T>
        {
            if (value.CompareTo(least) < 0 || value.CompareTo(most) > 0)
            {
                throw new ArgumentOutOfRangeException(name, value, $"{name} must be from {least} to {most}.");
            }
        }
    }
}
