namespace Aries.Managed;

/// <summary>The order in which an epoch visits the rows: a function of seed and epoch alone, so a resumed training needs no sampler state.</summary>
internal static class EpochOrder
{
    /// <summary>Returns the rows of an epoch, shuffled (Fisher and Yates).</summary>
    public static int[] Of(long seed, int epoch, int count)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        long stream = SeedStream.Derive(seed, "epoch", epoch);
        for (int i = count - 1; i > 0; i--)
        {
            int other = (int)(SeededDraw.Uniform(stream, i) * (i + 1));
            (order[i], order[other]) = (order[other], order[i]);
        }

        return order;
    }
}
