namespace Aries.Preferences.Tests;

public class PairBatchTests
{
    private static readonly PairSequence[] AllSequences = Enum.GetValues<PairSequence>();

    [Fact]
    public void Rows_TwoPairs_AreInTheOrderOfTheEnum()
    {
        double[] policy = [.. Enumerable.Range(0, 14).Select(i => -(double)i)];
        double[] reference = [.. Enumerable.Range(0, 14).Select(i => -100.0 - i)];
        int[] lengths = [.. Enumerable.Range(1, 14)];

        PairBatch batch = new(policy, reference, lengths);

        Assert.Equal(2, batch.Count);
        foreach (PairSequence sequence in AllSequences)
        {
            int row = (int)sequence;
            Assert.Equal([-(2.0 * row), -(2.0 * row) - 1], batch.Policy(sequence).ToArray());
            Assert.Equal([-100 - (2.0 * row), -101 - (2.0 * row)], batch.Reference(sequence).ToArray());
            Assert.Equal([(2 * row) + 1, (2 * row) + 2], batch.Lengths(sequence).ToArray());
        }
    }

    [Fact]
    public void SequenceCount_Enum_HasARowAndAFlagForEachValue()
    {
        Assert.Equal(PairBatch.SequenceCount, AllSequences.Length);
        Assert.All(AllSequences, s => Assert.Equal(s.ToString(), ((PairSequences)(1 << (int)s)).ToString()));
    }

    [Fact]
    public void Constructor_NoCounts_CountsThisBatch()
    {
        int[] lengths = new int[14];
        lengths[0] = 5;
        lengths[1] = 7;
        lengths[2] = 100;

        PairBatch batch = new(new double[14], default, lengths);

        Assert.Equal(2, batch.PairCount);
        Assert.Equal(12, batch.ChosenTokenCount);
        Assert.False(batch.HasReference);
        Assert.True(batch.HasLengths);
    }

    [Theory]
    [InlineData(13, 0, 0, 0)]
    [InlineData(14, 7, 0, 0)]
    [InlineData(14, 14, 7, 0)]
    [InlineData(14, 14, 14, 1)]
    public void Constructor_LengthsThatDoNotFit_Throws(int policy, int reference, int lengths, int labels)
    {
        Assert.Throws<ArgumentException>(() => { _ = new PairBatch(new double[policy], new double[reference], new int[lengths], new double[labels]); });
    }

    [Fact]
    public void Constructor_CountsSmallerThanTheBatch_Throws()
    {
        int[] lengths = [.. Enumerable.Repeat(3, 14)];

        Assert.Throws<ArgumentOutOfRangeException>("pairCount", () => { _ = new PairBatch(new double[14], default, default, pairCount: 1); });
        Assert.Throws<ArgumentOutOfRangeException>("chosenTokenCount", () => { _ = new PairBatch(new double[14], default, lengths, chosenTokenCount: 5); });
    }

    [Fact]
    public void Reference_NoReference_Throws()
    {
        Assert.Throws<InvalidOperationException>(() => { _ = new PairBatch(new double[7], default, default).Reference(PairSequence.Chosen); });
        Assert.Throws<InvalidOperationException>(() => { _ = new PairBatch(new double[7], default, default).Lengths(PairSequence.Chosen); });
        Assert.Throws<ArgumentOutOfRangeException>("sequence", () => { _ = new PairBatch(new double[7], default, default).Policy((PairSequence)7); });
    }

    [Fact]
    public void Row_Gradients_AreViewsInTheOrderOfTheEnum()
    {
        double[] values = new double[14];

        new PairGradients(values).Row(PairSequence.Rejected)[1] = 5;

        Assert.Equal(5, values[3]);
        Assert.Throws<ArgumentException>(() => { _ = new PairGradients(new double[8]); });
        Assert.Throws<ArgumentOutOfRangeException>("sequence", () => { _ = new PairGradients(new double[7]).Row((PairSequence)(-1)); });
    }
}
