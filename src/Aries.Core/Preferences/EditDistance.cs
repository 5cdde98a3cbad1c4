namespace Aries;

/// <summary>Levenshtein distance with a bound, by furthest-reaching diagonals.</summary>
/// <remarks>Ukkonen 1985, "Algorithms for approximate string matching": with bound k it looks at O(k²) diagonals' ends beside the common runs between them.</remarks>
internal static class EditDistance
{
    /// <summary>The most edits that are looked for; texts that differ by more count as different.</summary>
    public const int MaxEdits = 8192;

    /// <summary>Tells whether the distance is below a share of the longer text's length.</summary>
    public static bool IsBelow(string left, string right, double share)
    {
        // distance < share·length, in whole edits.
        double limit = share * Math.Max(left.Length, right.Length);
        int bound = (int)Math.Min(Math.Ceiling(limit) - 1, MaxEdits - 1);
        return bound >= 0 && IsAtMost(left, right, bound);
    }

    /// <summary>Tells whether the distance is at most a bound.</summary>
    public static bool IsAtMost(ReadOnlySpan<char> left, ReadOnlySpan<char> right, int bound)
    {
        int prefix = left.CommonPrefixLength(right);
        left = left[prefix..];
        right = right[prefix..];
        int target = right.Length - left.Length;
        if (Math.Abs(target) > bound)
        {
            return false;
        }

        // reach[d + offset]: how far into left the edits so far reach on diagonal d = (index in right) − (index in left).
        int offset = bound + 1;
        int[] reach = new int[(2 * offset) + 1];
        int[] next = new int[reach.Length];
        Array.Fill(reach, -2);
        reach[offset] = 0;
        for (int edits = 0; ; edits++)
        {
            if (reach[target + offset] >= left.Length)
            {
                return true;
            }

            if (edits == bound)
            {
                return false;
            }

            Array.Fill(next, -2);
            for (int diagonal = -(edits + 1); diagonal <= edits + 1; diagonal++)
            {
                int index = diagonal + offset;
                int replaced = reach[index] + 1;
                int deleted = index + 1 < reach.Length ? reach[index + 1] + 1 : -2;
                int inserted = index > 0 ? reach[index - 1] : -2;
                int row = Math.Min(Math.Max(Math.Max(replaced, deleted), inserted), Math.Min(left.Length, right.Length - diagonal));
                if (row < 0 || row + diagonal < 0)
                {
                    continue;
                }

                next[index] = row + left[row..].CommonPrefixLength(right[(row + diagonal)..]);
            }

            (reach, next) = (next, reach);
        }
    }
}
