using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Aries.Managed;

/// <summary>Seeds of independent random streams from one seed.</summary>
internal static class SeedStream
{
    /// <summary>Derives the seed of a stream that a purpose and a number name.</summary>
    public static long Derive(long seed, string purpose, int number)
    {
        byte[] name = Encoding.UTF8.GetBytes(purpose);
        byte[] bytes = new byte[12 + name.Length];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, seed);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), number);
        name.CopyTo(bytes.AsSpan(12));
        return BinaryPrimitives.ReadInt64LittleEndian(SHA256.HashData(bytes));
    }
}
