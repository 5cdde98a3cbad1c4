using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Aries;

/// <summary>Unicode's canonical forms, NFC and NFD: <see href="https://www.unicode.org/reports/tr15/"/>.</summary>
/// <remarks>The runtime has them too, but not in a process with <c>InvariantGlobalization</c>, and a prompt's ids must not depend on a setting of the process.</remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal static class CanonicalForm
{
    // Hangul syllables are composed by arithmetic: section 3.12 of the Unicode standard.
    private const int SyllableStart = 0xAC00;
    private const int LeadStart = 0x1100;
    private const int VowelStart = 0x1161;
    private const int TailStart = 0x11A7;
    private const int LeadCount = 19;
    private const int VowelCount = 21;
    private const int TailCount = 28;
    private const int SyllableCount = LeadCount * VowelCount * TailCount;

    private static readonly Dictionary<int, int[]> Decompositions = [];
    private static readonly Dictionary<(int First, int Second), int> Compositions = [];
    private static readonly Dictionary<int, byte> Classes = [];

    static CanonicalForm()
    {
        foreach (string entry in Entries(CanonicalData.Decompositions))
        {
            int sign = entry.AsSpan().IndexOfAny('=', '>');
            int point = Hex(entry.AsSpan(0, sign));
            int[] parts = [.. entry[(sign + 1)..].Split('+').Select(part => Hex(part))];
            Decompositions.Add(point, parts);
            if (entry[sign] == '=')
            {
                Compositions.Add((parts[0], parts[1]), point);
            }
        }

        foreach (string entry in Entries(CanonicalData.CombiningClasses))
        {
            int colon = entry.IndexOf(':', StringComparison.Ordinal);
            string[] ends = entry[..colon].Split('-');
            for (int point = Hex(ends[0]); point <= Hex(ends[^1]); point++)
            {
                Classes.Add(point, byte.Parse(entry.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture));
            }
        }
    }

    /// <summary>Returns a text in form NFC; a lone surrogate becomes U+FFFD.</summary>
    public static string Compose(string text) => IsPlain(text, '\u0300') ? text : ToText(Composed(Decomposed(text)));

    /// <summary>Returns a text in form NFD; a lone surrogate becomes U+FFFD.</summary>
    public static string Decompose(string text) => IsPlain(text, '\u00C0') ? text : ToText(Decomposed(text));

    /// <summary>Whether all characters lie below the first that the form may change.</summary>
    private static bool IsPlain(string text, char first) => !text.AsSpan().ContainsAnyInRange(first, '\uFFFF');

    private static List<int> Decomposed(string text)
    {
        List<int> points = new(text.Length + 8);
        foreach (Rune rune in text.EnumerateRunes())
        {
            AddDecomposed(rune.Value, points);
        }

        int start = 0;
        for (int index = 0; index <= points.Count; index++)
        {
            if (index == points.Count || Class(points[index]) == 0)
            {
                OrderMarks(CollectionsMarshal.AsSpan(points)[start..index]);
                start = index + 1;
            }
        }

        return points;
    }

    /// <summary>Puts the marks between two starters in the order of their classes; those of one class stay as they are.</summary>
    private static void OrderMarks(Span<int> marks)
    {
        if (marks.Length < 2)
        {
            return;
        }

        // Sorted, not inserted one by one: a text of marks alone, as long as a request may be, must not take the square of its length.
        Span<long> keys = marks.Length <= 32 ? stackalloc long[marks.Length] : new long[marks.Length];
        for (int index = 0; index < marks.Length; index++)
        {
            keys[index] = ((long)Class(marks[index]) << 32) | (uint)index;
        }

        keys.Sort(marks);
    }

    private static void AddDecomposed(int point, List<int> points)
    {
        int syllable = point - SyllableStart;
        if (syllable is >= 0 and < SyllableCount)
        {
            points.Add(LeadStart + (syllable / (VowelCount * TailCount)));
            points.Add(VowelStart + (syllable % (VowelCount * TailCount) / TailCount));
            if (syllable % TailCount > 0)
            {
                points.Add(TailStart + (syllable % TailCount));
            }
        }
        else if (Decompositions.TryGetValue(point, out int[]? parts))
        {
            foreach (int part in parts)
            {
                AddDecomposed(part, points);
            }
        }
        else
        {
            points.Add(point);
        }
    }

    private static List<int> Composed(List<int> points)
    {
        List<int> result = new(points.Count);
        int starter = -1;
        int lastClass = -1;
        foreach (int point in points)
        {
            int rank = Class(point);

            // A mark meets its starter unless one of its own class or higher, or another starter, stands between.
            bool isBlocked = starter < 0 || (lastClass >= rank && lastClass >= 0);
            if (!isBlocked && Pair(result[starter], point) is { } composite)
            {
                result[starter] = composite;
                continue;
            }

            result.Add(point);
            if (rank == 0)
            {
                starter = result.Count - 1;
                lastClass = -1;
            }
            else
            {
                lastClass = rank;
            }
        }

        return result;
    }

    private static int? Pair(int first, int second)
    {
        if (first - LeadStart is >= 0 and < LeadCount && second - VowelStart is >= 0 and < VowelCount)
        {
            return SyllableStart + ((((first - LeadStart) * VowelCount) + (second - VowelStart)) * TailCount);
        }

        if (first - SyllableStart is >= 0 and < SyllableCount && (first - SyllableStart) % TailCount == 0 && second - TailStart is > 0 and < TailCount)
        {
            return first + (second - TailStart);
        }

        return Compositions.TryGetValue((first, second), out int composite) ? composite : null;
    }

    private static byte Class(int point) => point < 0x300 ? (byte)0 : Classes.GetValueOrDefault(point);

    private static string ToText(List<int> points)
    {
        StringBuilder text = new(points.Count);
        Span<char> characters = stackalloc char[2];
        foreach (int point in points)
        {
            text.Append(characters[..new Rune(point).EncodeToUtf16(characters)]);
        }

        return text.ToString();
    }

    private static string[] Entries(string data) => data.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries);

    private static int Hex(ReadOnlySpan<char> digits) => int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
