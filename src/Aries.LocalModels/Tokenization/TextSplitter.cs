using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Aries;

/// <summary>A step that splits text into words, across which no merge reaches: one entry of <c>pre_tokenizer</c> in <c>tokenizer.json</c>.</summary>
internal abstract class TextSplitter
{
    /// <summary>Splits a text.</summary>
    /// <param name="text">The text; not empty.</param>
    /// <param name="place">Where the text stands.</param>
    /// <param name="words">Receives the words, none of them empty.</param>
    public abstract void Split(string text, TextPlace place, List<string> words);
}

/// <summary>Where a text stands that is to be split.</summary>
internal enum TextPlace
{
    /// <summary>Nothing comes before it.</summary>
    Start,

    /// <summary>A special token, or a word of the same text, comes before it.</summary>
    Inside,

    /// <summary>It goes on where another text ended: no space is put before it.</summary>
    Continuation,
}

/// <summary>Which side the matches of a pattern go to.</summary>
internal enum SplitBehavior
{
    Isolated,
    Removed,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>Splits at the matches of a pattern.</summary>
/// <param name="pattern">The pattern; matched against one character per code point.</param>
/// <param name="behavior">Which side the matches go to.</param>
/// <param name="isInverted">Whether the text between matches is what counts as a match.</param>
internal sealed class PatternSplitter(Regex pattern, SplitBehavior behavior, bool isInverted) : TextSplitter
{
    public override void Split(string text, TextPlace place, List<string> words)
    {
        (string shadow, int[]? starts) = Shadow(text);
        List<(int Start, int End, bool IsMatch)> parts = [];
        int end = 0;
        void Add(int start, int stop, bool isMatch)
        {
            if (stop > start)
            {
                parts.Add((starts is null ? start : starts[start], starts is null ? stop : starts[stop], isMatch != isInverted));
            }
        }

        foreach (ValueMatch match in pattern.EnumerateMatches(shadow))
        {
            Add(end, match.Index, false);
            Add(match.Index, match.Index + match.Length, true);
            end = match.Index + match.Length;
        }

        Add(end, shadow.Length, false);
        Join(text, parts, words);
    }

    private void Join(string text, List<(int Start, int End, bool IsMatch)> parts, List<string> words)
    {
        int start = -1;
        for (int index = 0; index < parts.Count; index++)
        {
            (int from, int to, bool isMatch) = parts[index];
            if (isMatch && behavior == SplitBehavior.Removed)
            {
                continue;
            }

            start = start < 0 ? from : start;
            bool isLast = index + 1 == parts.Count;
            bool joinsNext = !isLast && behavior switch
            {
                SplitBehavior.MergedWithPrevious => !isMatch && parts[index + 1].IsMatch,
                SplitBehavior.MergedWithNext => isMatch && !parts[index + 1].IsMatch,
                SplitBehavior.Contiguous => isMatch == parts[index + 1].IsMatch,
                _ => false,
            };
            if (!joinsNext)
            {
                words.Add(text[start..to]);
                start = -1;
            }
        }
    }

    /// <summary>Returns a text with one character per code point, and where each of them starts in the original.</summary>
    /// <remarks>
    /// .NET's patterns see the two halves of a code point above U+FFFF as characters of no kind, where the tokenizers that wrote the file see a letter or a symbol.
    /// A character of the same category below U+FFFF stands in for it.
    /// </remarks>
    private static (string Shadow, int[]? Starts) Shadow(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF'))
        {
            return (text, null);
        }

        StringBuilder shadow = new(text.Length);
        List<int> starts = new(text.Length + 1);
        for (int index = 0; index < text.Length;)
        {
            starts.Add(index);
            if (Rune.TryGetRuneAt(text, index, out Rune rune))
            {
                shadow.Append(rune.IsBmp ? (char)rune.Value : Representative(Rune.GetUnicodeCategory(rune)));
                index += rune.Utf16SequenceLength;
            }
            else
            {
                shadow.Append('\uFFFD');
                index++;
            }
        }

        starts.Add(text.Length);
        return (shadow.ToString(), [.. starts]);
    }

    private static char Representative(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter => '\u00DE',
        UnicodeCategory.LowercaseLetter => '\u00FE',
        UnicodeCategory.TitlecaseLetter => '\u01C5',
        UnicodeCategory.ModifierLetter => '\u02B0',
        UnicodeCategory.OtherLetter => '\u4E00',
        UnicodeCategory.NonSpacingMark => '\u0300',
        UnicodeCategory.SpacingCombiningMark => '\u0903',
        UnicodeCategory.EnclosingMark => '\u20DD',
        UnicodeCategory.DecimalDigitNumber => '\u0660',
        UnicodeCategory.LetterNumber => '\u2160',
        UnicodeCategory.OtherNumber => '\u00B2',
        UnicodeCategory.ConnectorPunctuation => '\u203F',
        UnicodeCategory.DashPunctuation => '\u2014',
        UnicodeCategory.OpenPunctuation => '\u27E6',
        UnicodeCategory.ClosePunctuation => '\u27E7',
        UnicodeCategory.InitialQuotePunctuation => '\u201C',
        UnicodeCategory.FinalQuotePunctuation => '\u201D',
        UnicodeCategory.OtherPunctuation => '\u203D',
        UnicodeCategory.MathSymbol => '\u2211',
        UnicodeCategory.CurrencySymbol => '\u20AC',
        UnicodeCategory.ModifierSymbol => '\u02C5',
        UnicodeCategory.OtherSymbol => '\u263A',
        UnicodeCategory.Format => '\u200E',
        UnicodeCategory.PrivateUse => '\uE000',
        _ => '\u0378',
    };
}

/// <summary>Splits numbers off: each digit by itself, or runs of them.</summary>
internal sealed class DigitSplitter(bool isEachAlone) : TextSplitter
{
    public override void Split(string text, TextPlace place, List<string> words)
    {
        int start = 0;
        bool wasDigit = false;
        for (int index = 0; index < text.Length;)
        {
            bool isRune = Rune.TryGetRuneAt(text, index, out Rune rune);
            bool isDigit = isRune && Rune.IsNumber(rune);
            if (index > start && (isDigit != wasDigit || (isDigit && isEachAlone)))
            {
                words.Add(text[start..index]);
                start = index;
            }

            wasDigit = isDigit;
            index += isRune ? rune.Utf16SequenceLength : 1;
        }

        words.Add(text[start..]);
    }
}

/// <summary>Puts a space before each word that has none.</summary>
internal sealed class SpacePrefixer : TextSplitter
{
    public override void Split(string text, TextPlace place, List<string> words) =>
        words.Add(place == TextPlace.Continuation || text[0] == ' ' ? text : " " + text);
}

/// <summary>Spells spaces as U+2581, as SentencePiece does, and may split before each.</summary>
internal sealed class MetaspaceSplitter(char replacement, string scheme, bool splits) : TextSplitter
{
    public override void Split(string text, TextPlace place, List<string> words)
    {
        text = text.Replace(' ', replacement);
        bool prepends = scheme == "always" ? place != TextPlace.Continuation : scheme == "first" && place == TextPlace.Start;
        if (prepends && text[0] != replacement)
        {
            text = replacement + text;
        }

        int start = 0;
        for (int index = 1; splits && index < text.Length; index++)
        {
            if (text[index] == replacement)
            {
                words.Add(text[start..index]);
                start = index;
            }
        }

        words.Add(text[start..]);
    }
}
