using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <summary>The vector width, in bits, that products use.</summary>
/// <threadsafety>Immutable.</threadsafety>
internal static class VectorWidth
{
    /// <summary>The environment variable that holds products to a narrower width: 128, 256 or 512.</summary>
    public const string EnvironmentVariable = "ARIES_VECTOR_BITS";

    /// <summary>Gets the widest that the processor computes with and the environment allows: 128, 256 or 512.</summary>
    public static int Default { get; } = Choose(
        Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128,
        Environment.GetEnvironmentVariable(EnvironmentVariable));

    /// <summary>Limits a width by the environment variable's text.</summary>
    /// <exception cref="ArgumentException">The text is no width.</exception>
    public static int Choose(int widest, string? limit) => limit switch
    {
        null or "" => widest,
        "128" => Math.Min(widest, 128),
        "256" => Math.Min(widest, 256),
        "512" => widest,
        _ => throw new ArgumentException($"{EnvironmentVariable} is '{limit}'; set it to 128, 256 or 512, or not at all.", nameof(limit)),
    };
}
