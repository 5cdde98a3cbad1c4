using CsCheck;

namespace Aries.Managed.Tests;

public sealed class SlotAllocatorTests
{
    [Fact]
    public void Take_AfterReturn_UsesTheGapAgain()
    {
        SlotAllocator slots = new();
        SlotRange first = slots.Take(10);
        slots.Take(5);
        slots.Return(first);

        Assert.Equal(new SlotRange(0, 4), slots.Take(4));
        Assert.Equal(new SlotRange(4, 6), slots.Take(6));
        Assert.Equal(15, slots.Limit);
    }

    [Fact]
    public void Take_TrailingGapTooShort_IsExtended()
    {
        SlotAllocator slots = new();
        slots.Take(3);
        slots.Return(slots.Take(4));

        Assert.Equal(new SlotRange(3, 6), slots.Take(6));
        Assert.Equal(9, slots.Limit);
    }

    // Runs in use never overlap, and when all are back the whole store is one free run.
    [Fact]
    public void TakeAndReturn_RandomOrder_NeverOverlapsAndJoinsAgain()
    {
        Gen.Select(Gen.Int[1, 9], Gen.Int[0, 99]).Array[1, 60].Sample(steps =>
        {
            SlotAllocator slots = new();
            List<SlotRange> taken = [];
            foreach ((int count, int choice) in steps)
            {
                if (choice < 40 && taken.Count > 0)
                {
                    slots.Return(taken[choice % taken.Count]);
                    taken.RemoveAt(choice % taken.Count);
                }
                else
                {
                    taken.Add(slots.Take(count));
                }

                int[] used = [.. taken.SelectMany(run => Enumerable.Range(run.Start, run.Count))];
                if (used.Distinct().Count() != used.Length || used.Length != slots.InUse || used.Any(slot => slot >= slots.Limit))
                {
                    return false;
                }
            }

            int limit = slots.Limit;
            taken.ForEach(slots.Return);
            return slots.Take(limit) == new SlotRange(0, limit);
        });
    }
}
