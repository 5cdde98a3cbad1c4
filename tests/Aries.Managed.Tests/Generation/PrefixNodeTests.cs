using CsCheck;

namespace Aries.Managed.Tests;

public sealed class PrefixNodeTests
{
    [Fact]
    public void Build_PromptsThatShareTwoPrefixes_ComputesEachTokenOnce()
    {
        int[][] prompts = [[1, 2, 3, 4], [1, 2, 5], [1, 2, 3], [1, 2, 5], [9]];
        int[] order = new int[5];

        PrefixNode[] ends = PrefixNode.Build(prompts, order);

        // 1 2 | 3 | 4, 1 2 | 5 and 9: six tokens of the fourteen.
        Assert.Equal(6, Nodes(ends).Sum(node => node.End - node.Start));
        Assert.Same(ends[1], ends[3]);
        Assert.Same(ends[2], ends[0].Parent);
        Assert.Equal([2, 0, 1, 3, 4], order);
    }

    [Fact]
    public void Build_RandomPrompts_EveryPathIsItsPromptAndNoTokenIsTwiceInTheTrie()
    {
        Gen.Int[0, 2].Array[1, 8].Array[1, 12].Sample(prompts =>
        {
            int[] order = new int[prompts.Length];
            PrefixNode[] ends = PrefixNode.Build(prompts, order);

            for (int i = 0; i < prompts.Length; i++)
            {
                List<int> path = [];
                for (PrefixNode? node = ends[i]; node is not null; node = node.Parent)
                {
                    path.InsertRange(0, node.Tokens.ToArray());
                }

                if (!path.SequenceEqual(prompts[i]) || !ends[i].IsEnd)
                {
                    return false;
                }
            }

            int distinctPrefixes = prompts.SelectMany(prompt => Enumerable.Range(1, prompt.Length).Select(length => string.Join(',', prompt[..length]))).Distinct().Count();
            return Nodes(ends).Sum(node => node.End - node.Start) == distinctPrefixes
                && ends.All(end => end.UserCount == ends.Count(other => Path(other).Contains(end)))
                && order.Order().SequenceEqual(Enumerable.Range(0, prompts.Length));
        });
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
