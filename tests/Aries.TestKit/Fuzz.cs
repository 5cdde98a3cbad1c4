using Xunit;

namespace Aries.TestKit;

/// <summary>Feeds a parser damaged input and checks that it fails with its own exception only, within a bound on memory.</summary>
public static class Fuzz
{
    /// <summary>Runs a parser on mutations of a valid input and on random bytes.</summary>
    /// <typeparam name="TException">The exception that the parser refuses with.</typeparam>
    /// <param name="valid">An input that the parser accepts.</param>
    /// <param name="parse">The parser.</param>
    /// <param name="count">How many inputs to try.</param>
    /// <param name="allocationLimit">How many bytes one call may allocate; far below what a forged count could ask for.</param>
    /// <returns>How many inputs were refused: a fuzz test that refuses none has not reached the parser.</returns>
    public static int Run<TException>(byte[] valid, Action<byte[]> parse, int count, long allocationLimit)
        where TException : Exception
    {
        parse(valid);
        Random random = new(20251);
        int refused = 0;
        for (int index = 0; index < count; index++)
        {
            byte[] input = Mutate(valid, random);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                parse(input);
            }
            catch (TException)
            {
                refused++;
            }

            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated <= allocationLimit, $"Input {index} of {input.Length} bytes made the parser allocate {allocated} bytes.");
        }

        return refused;
    }

    private static byte[] Mutate(byte[] valid, Random random)
    {
        switch (random.Next(8))
        {
            case 0:
                byte[] noise = new byte[random.Next(200)];
                random.NextBytes(noise);
                return noise;
            case 1:
                return valid[..random.Next(valid.Length)];
            case 2:
                return [.. valid, .. new byte[random.Next(1, 50)]];
            case 3:
                // Numbers become larger: the usual way to ask for too much memory.
                byte[] grown = [.. valid];
                for (int tries = 0; tries < 2000; tries++)
                {
                    int at = random.Next(grown.Length);
                    if (grown[at] is >= (byte)'0' and <= (byte)'9')
                    {
                        int digits = random.Next(1, 12);
                        return [.. grown[..at], .. Enumerable.Repeat((byte)'9', digits), .. grown[at..]];
                    }
                }

                return grown;
            case 4:
                int start = random.Next(valid.Length);
                int length = random.Next(Math.Min(40, valid.Length - start));
                return [.. valid[..start], .. valid[(start + length)..]];
            case 5:
                int from = random.Next(valid.Length);
                int piece = random.Next(Math.Min(60, valid.Length - from));
                int to = random.Next(valid.Length);
                return [.. valid[..to], .. valid[from..(from + piece)], .. valid[to..]];
            default:
                byte[] flipped = [.. valid];
                for (int flips = random.Next(1, 6); flips > 0; flips--)
                {
                    // The first bytes hold lengths and counts: they get a share of their own.
                    int at = random.Next(4) == 0 ? random.Next(Math.Min(64, flipped.Length)) : random.Next(flipped.Length);
                    flipped[at] = random.Next(3) == 0 ? (byte)"{}[],:\"\\-0e"[random.Next(11)] : (byte)random.Next(256);
                }

                return flipped;
        }
    }
}
