namespace Aries.Managed;

/// <summary>Arrays that a computation keeps between its passes, so that a pass allocates nothing once they are large enough.</summary>
internal static class Buffers
{
    /// <summary>Makes an array at least so long; its old values are lost when it grows.</summary>
    public static float[] Ensure(ref float[] buffer, int length) =>
        buffer.Length < length ? EnsureExactly(ref buffer, checked(length + Headroom(length))) : buffer;

    /// <summary>Makes an array at least so long, and no longer when it grows: for a length that is the largest there will be.</summary>
    public static float[] EnsureExactly(ref float[] buffer, int length)
    {
        if (buffer.Length < length)
        {
            buffer = GC.AllocateUninitializedArray<float>(length);
        }

        return buffer;
    }

    /// <summary>Returns what to add to a size that may not be the largest: micro-batches differ a little, and each growth would leave garbage behind.</summary>
    public static int Headroom(int length) => length / 8;
}
