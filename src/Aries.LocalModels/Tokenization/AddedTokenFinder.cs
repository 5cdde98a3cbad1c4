using System.Buffers;

namespace Aries;

/// <summary>Finds added tokens in text: the leftmost first, and the longest of those that start there.</summary>
internal sealed class AddedTokenFinder
{
    private readonly Dictionary<char, AddedToken[]> _byFirst;
    private readonly SearchValues<char> _firsts;

    public AddedTokenFinder(IEnumerable<AddedToken> tokens)
    {
        _byFirst = tokens.GroupBy(token => token.Content[0]).ToDictionary(
            group => group.Key, group => group.OrderByDescending(token => token.Content.Length).ToArray());
        _firsts = SearchValues.Create([.. _byFirst.Keys]);
    }

    /// <summary>Finds the next token.</summary>
    /// <param name="text">The text.</param>
    /// <param name="start">Where to begin.</param>
    /// <param name="at">Where the token begins.</param>
    public AddedToken? Next(string text, int start, out int at)
    {
        for (at = start; at < text.Length; at++)
        {
            int skipped = text.AsSpan(at).IndexOfAny(_firsts);
            if (skipped < 0)
            {
                break;
            }

            at += skipped;
            foreach (AddedToken token in _byFirst[text[at]])
            {
                if (text.AsSpan(at).StartsWith(token.Content, StringComparison.Ordinal) && (!token.IsWord || StandsAlone(text, at, token.Content.Length)))
                {
                    return token;
                }
            }
        }

        at = text.Length;
        return null;
    }

    private static bool StandsAlone(string text, int at, int length) =>
        (at == 0 || !IsWordCharacter(text[at - 1])) && (at + length == text.Length || !IsWordCharacter(text[at + length]));

    private static bool IsWordCharacter(char character) => char.IsLetterOrDigit(character) || character == '_';
}
