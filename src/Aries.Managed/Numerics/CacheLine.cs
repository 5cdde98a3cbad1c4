using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Aries.Managed;

/// <summary>Asks the memory for a line before it is needed.</summary>
/// <remarks>
/// <para>
/// The processor sees the stream of a product by itself, but its guesses end with every page of 4 KiB, and then each product waits. Other processors than x86
/// are left to guess: .NET has no such request for them.
/// </para>
/// <para>
/// A request into the first cache holds one of the few places that also every load from the second cache needs, for as long as the memory takes: to ask for much
/// there stops the multiply-adds that were to go on meanwhile. So only what is read within a tile goes there.
/// </para>
/// </remarks>
internal static unsafe class CacheLine
{
    public const int Bytes = 64;

    /// <summary>Asks for the line at an address, into the first cache; any address may be named.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Request(byte* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }

    /// <summary>Asks for the line at an address, into the second cache; any address may be named.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void RequestEarly(byte* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(address);
        }
    }
}
