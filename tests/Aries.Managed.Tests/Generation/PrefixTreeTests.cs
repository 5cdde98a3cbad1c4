using CsCheck;

namespace Aries.Managed.Tests;

public sealed class PrefixTreeTests
{
    [Fact]
    public void Add_SequencesThatShareTwoPrefixes_HoldsEachTokenOnce()
    {
        PrefixTree tree = new();

        PrefixNode[] ends = [.. ((int[][])[[1, 2, 3, 4], [1, 2, 5], [1, 2, 3], [1, 2, 5], [9]]).Select(sequence => tree.Add(null, sequence))];

        // 1 2 | 3 | 4, 1 2 | 5 and 9: six tokens of the fourteen.
        Assert.Equal(6, Nodes(ends).Sum(node => node.Tokens.Length));
        Assert.Equal(5, tree.NodeCount);
        Assert.Same(ends[1], ends[3]);
        Assert.Same(ends[2], ends[0].Parent);
    }

    [Fact]
    public void Add_AfterANode_GoesOnFromIt()
    {
        PrefixTree tree = new();
        PrefixNode prompt = tree.Add(null, (int[])[1, 2]);

        PrefixNode end = tree.Add(prompt, (int[])[3, 4]);

        Assert.Same(end, tree.Add(null, (int[])[1, 2, 3, 4]));
        Assert.Equal((2, 4), (end.Start, end.End));
    }

    [Fact]
    public void Add_RandomSequences_EveryPathIsItsSequenceAndNoTokenIsTwiceInTheTrie()
    {
        Gen.Int[0, 2].Array[1, 8].Array[1, 12].Sample(sequences =>
        {
            PrefixTree tree = new();
            PrefixNode[] ends = [.. sequences.Select(sequence => tree.Add(null, sequence))];

            for (int i = 0; i < sequences.Length; i++)
            {
                if (!Path(ends[i]).Reverse().SelectMany(node => node.Tokens.ToArray()).SequenceEqual(sequences[i]) || ends[i].End != sequences[i].Length)
                {
                    return false;
                }
            }

            int distinctPrefixes = sequences.SelectMany(sequence => Enumerable.Range(1, sequence.Length).Select(length => string.Join(',', sequence[..length]))).Distinct().Count();
            return Nodes(ends).Sum(node => node.Tokens.Length) == distinctPrefixes && Nodes(ends).Count == tree.NodeCount;
        });
    }

    [Fact]
    public void Add_CutThroughComputedNode_DividesItsSlots()
    {
        PrefixTree tree = new();
        PrefixNode lower = tree.Add(null, (int[])[1, 2, 3, 4, 5]);
        lower.AddSlots(new SlotRange(10, 2));
        lower.AddSlots(new SlotRange(20, 3));
        (lower.IsComputed, lower.LastHidden) = (true, [1]);

        PrefixNode upper = tree.Add(null, (int[])[1, 2, 3]);

        Assert.Equal([new SlotRange(10, 2), new SlotRange(20, 1)], upper.Slots);
        Assert.Equal([new SlotRange(21, 2)], lower.Slots);
        Assert.True(upper.IsComputed && lower.IsComputed);
        Assert.Null(upper.LastHidden);
        List<SlotRange> path = [];
        lower.AddPathTo(path);
        Assert.Equal([new SlotRange(10, 2), new SlotRange(20, 3)], path);
    }

    private static IEnumerable<PrefixNode> Path(PrefixNode? node)
    {
        for (; node is not null; node = node.Parent)
        {
            yield return node;
        }
    }

    private static HashSet<PrefixNode> Nodes(PrefixNode[] ends) => [.. ends.SelectMany(Path)];
}
