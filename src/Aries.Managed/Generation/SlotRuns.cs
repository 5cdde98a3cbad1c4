namespace Aries.Managed;

/// <summary>Lists of slot runs that hold the tokens of a sequence in order.</summary>
internal static class SlotRuns
{
    /// <summary>Returns the number of slots in all runs.</summary>
    public static int SlotCount(this List<SlotRange> runs)
    {
        int count = 0;
        foreach (SlotRange run in runs)
        {
            count += run.Count;
        }

        return count;
    }

    /// <summary>Appends a run, as part of the last one where it follows that.</summary>
    public static void Join(this List<SlotRange> runs, SlotRange run)
    {
        if (runs.Count > 0 && runs[^1].Start + runs[^1].Count == run.Start)
        {
            runs[^1] = runs[^1] with { Count = runs[^1].Count + run.Count };
        }
        else
        {
            runs.Add(run);
        }
    }

    /// <summary>Takes slots off the end.</summary>
    public static void CutEnd(this List<SlotRange> runs, int count)
    {
        while (count > 0)
        {
            SlotRange last = runs[^1];
            int cut = Math.Min(count, last.Count);
            if (cut == last.Count)
            {
                runs.RemoveAt(runs.Count - 1);
            }
            else
            {
                runs[^1] = last with { Count = last.Count - cut };
            }

            count -= cut;
        }
    }

    /// <summary>Moves slots from the beginning to the end of another list.</summary>
    public static void MoveTo(this List<SlotRange> runs, List<SlotRange> target, int count)
    {
        int whole = 0;
        while (count > 0)
        {
            SlotRange first = runs[whole];
            int moved = Math.Min(count, first.Count);
            target.Join(first with { Count = moved });
            if (moved == first.Count)
            {
                whole++;
            }
            else
            {
                runs[whole] = new SlotRange(first.Start + moved, first.Count - moved);
            }

            count -= moved;
        }

        runs.RemoveRange(0, whole);
    }
}
