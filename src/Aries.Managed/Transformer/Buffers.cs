namespace Aries.Managed;

/// <summary>Arrays that a computation keeps between its passes, so that a pass allocates nothing once they are large enough.</summary>
internal static class Buffers
{
    /// <summary>Makes an array at least so long; its old values are lost when it grows.</summary>
    public static float[] Ensure(ref float[] buffer, int length)
    {
        if (buffer.Length < length)
        {
            // Headroom: micro-batches differ a little in size, and each growth would leave garbage behind.
            buffer = GC.AllocateUninitializedArray<float>(checked(length + (length / 8)));
        }

        return buffer;
    }
}
