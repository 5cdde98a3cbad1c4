using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Aries.Managed;

/// <summary>Asks the memory for a line before it is needed.</summary>
/// <remarks>
/// The processor sees the stream of a product by itself, but its guesses end with every page of 4 KiB, and then each product waits. Other processors than x86
/// are left to guess: .NET has no such request for them.
/// </remarks>
internal static unsafe class CacheLine
{
    public const int Bytes = 64;

    /// <summary>Asks for the line at an address; any address may be named.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Request(byte* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }
}
