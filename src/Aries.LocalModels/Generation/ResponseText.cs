using System.Text;

namespace Aries;

/// <summary>The text of a response as it grows: finds stop sequences and holds back what may be the start of one.</summary>
/// <remarks>
/// Stop sequences are followed a character at a time (Knuth, Morris, Pratt 1977), so the result does not depend on where tokens begin and end:
/// the first sequence to be complete ends the response, the longest where several are complete at one character.
/// </remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class ResponseText
{
    private readonly StringBuilder _text = new();
    private readonly string[] _stops;
    private readonly int[][] _borders;
    private readonly int[] _matched;
    private int _taken;

    public ResponseText(IReadOnlyList<string> stopSequences)
    {
        _stops = [.. stopSequences];
        _borders = [.. _stops.Select(Borders)];
        _matched = new int[_stops.Length];
    }

    /// <summary>Gets whether a stop sequence came up; what follows it is not taken in.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>Takes in text that the model wrote.</summary>
    /// <returns><see cref="IsStopped"/>.</returns>
    public bool Append(ReadOnlySpan<char> text)
    {
        foreach (char character in text)
        {
            if (IsStopped)
            {
                break;
            }

            _text.Append(character);
            int longest = Advance(character);
            if (longest > 0)
            {
                _text.Length -= longest;
                IsStopped = true;
            }
        }

        return IsStopped;
    }

    /// <summary>Returns the text that was not taken yet and cannot become part of a stop sequence.</summary>
    public string TakeReady()
    {
        int ready = _text.Length;
        if (!IsStopped)
        {
            foreach (int matched in _matched)
            {
                ready = Math.Min(ready, _text.Length - matched);
            }

            // Half a surrogate pair is no text yet.
            if (ready > 0 && char.IsHighSurrogate(_text[ready - 1]))
            {
                ready--;
            }
        }

        return Take(ready);
    }

    /// <summary>Returns all the text that was not taken yet: the response is over.</summary>
    public string TakeRest() => Take(_text.Length);

    /// <summary>Returns the whole text, taken or not, without the stop sequence that ended it.</summary>
    public override string ToString() => _text.ToString();

    private string Take(int end)
    {
        if (end <= _taken)
        {
            return "";
        }

        string text = _text.ToString(_taken, end - _taken);
        _taken = end;
        return text;
    }

    private int Advance(char character)
    {
        int longest = 0;
        for (int i = 0; i < _stops.Length; i++)
        {
            string stop = _stops[i];
            int matched = _matched[i];
            while (matched > 0 && stop[matched] != character)
            {
                matched = _borders[i][matched - 1];
            }

            matched += stop[matched] == character ? 1 : 0;
            if (matched == stop.Length)
            {
                longest = Math.Max(longest, matched);
                matched = 0;
            }

            _matched[i] = matched;
        }

        return longest;
    }

    /// <summary>Returns, for each prefix, the length of the longest other prefix that ends it.</summary>
    private static int[] Borders(string stop)
    {
        int[] borders = new int[stop.Length];
        for (int i = 1, length = 0; i < stop.Length; i++)
        {
            while (length > 0 && stop[i] != stop[length])
            {
                length = borders[length - 1];
            }

            length += stop[i] == stop[length] ? 1 : 0;
            borders[i] = length;
        }

        return borders;
    }
}
