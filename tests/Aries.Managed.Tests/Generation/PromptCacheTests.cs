namespace Aries.Managed.Tests;

public sealed class PromptCacheTests
{
    [Fact]
    public void Release_MoreThanTheLimit_DropsWhatWasUsedLeastRecently()
    {
        PromptCache cache = new(idleLimit: 4);
        Compute(cache, [1, 2]);
        Compute(cache, [3, 4]);
        Compute(cache, [1, 2]);

        Compute(cache, [5, 6]);

        Assert.True(IsKept(cache, [1, 2]));
        Assert.False(IsKept(cache, [3, 4]));
    }

    [Fact]
    public void Release_SharedBeginning_OutlivesWhatFollowsIt()
    {
        PromptCache cache = new(idleLimit: 3);

        Compute(cache, [1, 2, 3]);
        Compute(cache, [1, 2, 4]);

        Assert.False(IsKept(cache, [1, 2, 3]));
        Assert.Equal(3, cache.IdleTokenCount);
    }

    [Fact]
    public void Release_PromptInUse_StaysWhateverTheLimit()
    {
        PromptCache cache = new(idleLimit: 0);
        PrefixNode held = cache.Use([1, 2]);
        cache.Place(held);
        held.IsComputed = true;

        Compute(cache, [1, 2]);

        Assert.True(held.IsComputed);
        Assert.Equal(2, cache.Slots.InUse);
    }

    // A run that was broken off has places for prompts that it never computed.
    [Fact]
    public void Release_NotComputed_GivesItsSlotsBack()
    {
        PromptCache cache = new(idleLimit: 100);
        PrefixNode end = cache.Use([1, 2, 3]);
        cache.Place(end);

        cache.Release(end);

        Assert.Equal((0, 0), (cache.Slots.InUse, cache.IdleTokenCount));
        Assert.False(IsKept(cache, [1, 2, 3]));
    }

    // Two responses that begin alike: the second brings keys and values only for what the first lacked.
    [Fact]
    public void Extend_ResponseKnownInPart_KeepsTheRestAndReturnsTheOthers()
    {
        PromptCache cache = new(idleLimit: 100);
        Compute(cache, [1, 2]);

        foreach (int[] response in (int[][])[[3, 4], [3, 5, 6]])
        {
            PrefixNode promptEnd = cache.Use([1, 2]);
            List<SlotRange> slots = [cache.Slots.Take(8)];
            cache.Release(cache.Extend(promptEnd, response, slots));
            Assert.Empty(slots);
        }

        // 1 2, 3, 4 and 5 6.
        Assert.Equal((6, 6), (cache.IdleTokenCount, cache.Slots.InUse));
    }

    private static void Compute(PromptCache cache, int[] prompt)
    {
        PrefixNode end = cache.Use(prompt);
        for (PrefixNode? node = end; node is { Slots.Count: 0 }; node = node.Parent)
        {
            cache.Place(node);
            node.IsComputed = true;
        }

        cache.Release(end);
    }

    private static bool IsKept(PromptCache cache, int[] prompt)
    {
        PrefixNode end = cache.Use(prompt);
        bool isKept = end.IsComputed;
        cache.Release(end);
        return isKept;
    }
}
