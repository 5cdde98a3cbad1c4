using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Aries.Managed;

/// <summary>A thread's own memory for copies of factors, kept from product to product.</summary>
/// <threadsafety>Every member may be called concurrently; the buffer belongs to the calling thread.</threadsafety>
internal static unsafe class PackingBuffer
{
    private const int Alignment = 64;

    [ThreadStatic]
    private static float[]? _buffer;

    [ThreadStatic]
    private static float[]? _rows;

    /// <summary>Gets this thread's buffer, at the start of a cache line; the next call on this thread takes it back.</summary>
    /// <param name="length">The values needed.</param>
    public static float* Take(int length) => Take(ref _buffer, length);

    /// <summary>Gets a second buffer of this thread, for what all threads read while they take buffers of their own.</summary>
    /// <param name="length">The values needed.</param>
    public static float* TakeForRows(int length) => Take(ref _rows, length);

    private static float* Take(ref float[]? buffer, int length)
    {
        int needed = length + (Alignment / sizeof(float));
        if (buffer is null || buffer.Length < needed)
        {
            buffer = GC.AllocateUninitializedArray<float>(needed, pinned: true);
        }

        nuint address = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(buffer));
        return (float*)((address + (Alignment - 1)) & ~(nuint)(Alignment - 1));
    }
}
