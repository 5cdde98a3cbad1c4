using CsCheck;

namespace Aries.Core.Tests;

public class EditDistanceTests
{
    private static readonly Gen<string> ShortText = Gen.String[Gen.Char['a', 'c'], 0, 12];

    [Fact]
    public void IsAtMost_AnyTextsAndBound_AgreesWithTheTable() => Gen.Select(ShortText, ShortText, Gen.Int[0, 13]).Sample((left, right, bound) =>
        Assert.Equal(Table(left, right) <= bound, EditDistance.IsAtMost(left, right, bound)), iter: 20_000);

    [Fact]
    public void IsBelow_AnyShare_ComparesStrictly() => Gen.Select(ShortText, ShortText, Gen.Double[0.01, 1]).Sample((left, right, share) =>
        Assert.Equal(Table(left, right) < share * Math.Max(left.Length, right.Length), EditDistance.IsBelow(left, right, share)), iter: 20_000);

    [Fact]
    public void IsBelow_LongTextsWithFewEdits_IsFound()
    {
        string left = string.Concat(Enumerable.Range(0, 20_000).Select(index => (char)('a' + (index * 7 % 26))));
        string right = left.Remove(500, 10).Insert(9000, "0123456789").Replace("xyz", "xy", StringComparison.Ordinal);

        Assert.True(EditDistance.IsBelow(left, right, 0.05));
        Assert.False(EditDistance.IsBelow(left, right[100..], 0.0005));
    }

    // The textbook's dynamic programme.
    private static int Table(string left, string right)
    {
        int[,] cost = new int[left.Length + 1, right.Length + 1];
        for (int i = 0; i <= left.Length; i++)
        {
            for (int j = 0; j <= right.Length; j++)
            {
                cost[i, j] = i == 0 ? j : j == 0 ? i : Math.Min(Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1, cost[i - 1, j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1));
            }
        }

        return cost[left.Length, right.Length];
    }
}
