using CsCheck;

namespace Aries.Managed.Tests;

public class TokenTreeTests
{
    [Fact]
    public void Build_PairOfResponses_ComputesThePromptOnce()
    {
        TokenTree tree = new();
        tree.Add([1, 5, 6, 10, 11, 2], 3);
        tree.Add([1, 5, 6, 20, 2], 3);
        RowBatch batch = new();

        tree.Build(batch);

        // 1 5 6, then 10 11 (the end token predicts nothing), then 20.
        Assert.Equal([1, 5, 6, 10, 11, 20], batch.Tokens);
        Assert.Equal([0, 1, 2, 3, 4, 3], batch.Positions);
        Assert.Equal([new(2, 10), new(2, 20), new(3, 11), new(4, 2), new(5, 2)], tree.Items.ToArray());
    }

    [Fact]
    public void Build_SequenceThatIsAPrefixOfAnother_SharesItsRows()
    {
        TokenTree tree = new();
        tree.Add([1, 2, 3], 1);
        tree.Add([1, 2, 3, 4, 5], 1);
        RowBatch batch = new();

        tree.Build(batch);

        Assert.Equal([1, 2, 3, 4], batch.Tokens);
        Assert.Equal([new(0, 2), new(1, 3), new(2, 4), new(3, 5)], tree.Items.ToArray());
    }

    [Fact]
    public void Sum_CountedTokens_AddsThoseOfEachSequenceAlone()
    {
        TokenTree tree = new();
        tree.Add([1, 2, 3], 1);
        tree.Add([1, 2, 4], 2);
        tree.Build(new RowBatch());
        double[] sums = new double[2];

        // Items: (0, 2), (1, 3), (1, 4).
        tree.Sum([1, 10, 100], sums);

        Assert.Equal([11, 100], sums);
    }

    // Over random sequences from three tokens, so that prefixes are often shared: each row's path spells its sequence, no two rows share a path,
    // and Distribute is the transpose of Sum.
    [Fact]
    public void Build_AnySequences_KeepsEveryPathOnce() =>
        Gen.Int[0, 2].Array[2, 12].Array[1, 12].Sample(sequences =>
        {
            TokenTree tree = new();
            foreach (int[] tokens in sequences)
            {
                tree.Add(tokens, 1 + (tokens.Length / 3));
            }

            RowBatch batch = new();
            tree.Build(batch);

            HashSet<string> expected = [.. sequences.SelectMany(tokens => Enumerable.Range(1, tokens.Length - 1).Select(length => string.Concat(tokens[..length])))];
            string[] paths = [.. batch.Segments.SelectMany(segment => Enumerable.Range(1, segment.RowCount).Select(count => Path(batch, segment, count)))];
            Assert.Equal(paths.Length, paths.Distinct().Count());
            Assert.True(expected.SetEquals(paths));
            for (int index = 0; index < sequences.Length; index++)
            {
                // A value of 1 for every item makes the sum the number of counted tokens; the items' own text is checked through the paths.
                double[] sums = new double[sequences.Length];
                double[] single = new double[sequences.Length];
                double[] items = new double[tree.Items.Length];
                single[index] = 1;
                tree.Distribute(single, items);
                string[] counted = [.. Enumerable.Range(0, items.Length).Where(item => items[item] == 1).Select(item => paths[tree.Items[item].Row] + tree.Items[item].Target)];
                int start = 1 + (sequences[index].Length / 3);
                Assert.Equal(Enumerable.Range(start + 1, sequences[index].Length - start).Select(length => string.Concat(sequences[index][..length])), counted.OrderBy(text => text.Length));
                tree.Sum(items, sums);
                Assert.Equal(sequences[index].Length - start, sums[index]);
            }
        }, iter: 2000);

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Add_NoPromptOrNoResponse_Throws(int responseStart) =>
        Assert.Throws<ArgumentException>(() => new TokenTree().Add([1, 2, 3], responseStart));

    private static string Path(RowBatch batch, RowSegment segment, int count)
    {
        List<int> tokens = [];
        foreach (SlotRange range in batch.Context.Slice(segment.ContextStart, segment.ContextRangeCount))
        {
            tokens.AddRange(batch.Tokens.Slice(range.Start, range.Count));
        }

        tokens.AddRange(batch.Tokens.Slice(segment.RowStart, count));
        return string.Concat(tokens);
    }
}
