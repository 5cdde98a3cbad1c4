using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Aries;

/// <summary>Byte-pair encoding with everything around it: added tokens, normalisation, splitting, spelling, merging.</summary>
internal sealed class BytePairTokenizer : ITextTokenizer
{
    private readonly AddedTokenFinder _allAdded;
    private readonly AddedTokenFinder _plainAdded;
    private readonly AddedTokenFinder _specialAdded;

    /// <summary>Creates the tokenizer.</summary>
    /// <param name="added">The added tokens.</param>
    /// <param name="tokenBytes">The bytes of each id; empty for special tokens and for ids that are not used.</param>
    public BytePairTokenizer(IReadOnlyList<AddedToken> added, IReadOnlyList<byte[]> tokenBytes)
    {
        TokenBytes = tokenBytes;
        _allAdded = new AddedTokenFinder(added);
        _plainAdded = new AddedTokenFinder(added.Where(token => !token.IsSpecial));
        _specialAdded = new AddedTokenFinder(added.Where(token => token.IsSpecial));
    }

    /// <summary>Gets the path of the file, for messages.</summary>
    public required string File { get; init; }

    public required IReadOnlyDictionary<string, int> Ids { get; init; }

    public required IReadOnlyList<TextNormalizer> Normalizers { get; init; }

    public required IReadOnlyList<TextSplitter> Splitters { get; init; }

    public required SymbolAlphabet Alphabet { get; init; }

    public required MergeTable Merges { get; init; }

    public required bool HasLeadingSpace { get; init; }

    public int? BeginTokenId { get; init; }

    public int VocabularySize => TokenBytes.Count;

    private IReadOnlyList<byte[]> TokenBytes { get; }

    public int? Id(string token) => Ids.TryGetValue(token, out int id) ? id : null;

    public ReadOnlySpan<byte> Bytes(int id) => (uint)id < (uint)TokenBytes.Count ? TokenBytes[id] : [];

    public int[] Encode(string text, bool allowSpecial = false, bool isContinuation = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<object> parts = [];
        FindAdded(text, allowSpecial ? _allAdded : _plainAdded, parts);
        return EncodeParts(parts, isContinuation);
    }

    public int[] Encode(IReadOnlyList<TextSegment> segments, bool isContinuation = false)
    {
        ArgumentNullException.ThrowIfNull(segments);
        List<object> parts = [];
        StringBuilder text = new();
        foreach (TextSegment segment in segments)
        {
            int start = 0;
            while (segment.IsTrusted && _specialAdded.Next(segment.Text, start, out int at) is { } token)
            {
                text.Append(segment.Text.AsSpan(start, at - start));
                FindAdded(text.ToString(), _plainAdded, parts);
                text.Clear();
                parts.Add(token);
                start = at + token.Content.Length;
            }

            text.Append(segment.Text.AsSpan(start));
        }

        FindAdded(text.ToString(), _plainAdded, parts);
        return EncodeParts(parts, isContinuation);
    }

    public string Decode(ReadOnlySpan<int> ids, bool isContinuation = false)
    {
        ArrayBufferWriter<byte> bytes = new();
        foreach (int id in ids)
        {
            bytes.Write(Bytes(id));
        }

        ReadOnlySpan<byte> written = bytes.WrittenSpan;
        if (HasLeadingSpace && !isContinuation && written.StartsWith(" "u8))
        {
            written = written[1..];
        }

        return Encoding.UTF8.GetString(written);
    }

    private static void FindAdded(string text, AddedTokenFinder finder, List<object> parts)
    {
        int start = 0;
        while (finder.Next(text, start, out int at) is { } token)
        {
            if (at > start)
            {
                parts.Add(text[start..at]);
            }

            parts.Add(token);
            start = at + token.Content.Length;
        }

        if (start < text.Length)
        {
            parts.Add(text[start..]);
        }
    }

    private int[] EncodeParts(List<object> parts, bool isContinuation)
    {
        List<int> ids = [];
        for (int index = 0; index < parts.Count; index++)
        {
            if (parts[index] is AddedToken token)
            {
                ids.Add(token.Id);
                continue;
            }

            string text = (string)parts[index];
            text = index > 0 && parts[index - 1] is AddedToken { StripsRight: true } ? text.TrimStart() : text;
            text = index + 1 < parts.Count && parts[index + 1] is AddedToken { StripsLeft: true } ? text.TrimEnd() : text;
            if (text.Length > 0)
            {
                TextPlace place = index > 0 ? TextPlace.Inside : isContinuation ? TextPlace.Continuation : TextPlace.Start;
                EncodeText(text, place, ids);
            }
        }

        return [.. ids];
    }

    private void EncodeText(string text, TextPlace place, List<int> ids)
    {
        try
        {
            foreach (TextNormalizer normalizer in Normalizers)
            {
                text = text.Length == 0 ? text : normalizer.Apply(text, place == TextPlace.Continuation);
            }

            List<string> words = text.Length == 0 ? [] : [text];
            foreach (TextSplitter splitter in Splitters)
            {
                List<string> split = new(words.Count);
                for (int index = 0; index < words.Count; index++)
                {
                    splitter.Split(words[index], index == 0 ? place : TextPlace.Inside, split);
                }

                words = split;
            }

            List<int> symbols = [];
            foreach (string word in words)
            {
                symbols.Clear();
                if (Alphabet.Spell(word, symbols))
                {
                    Merges.Apply(symbols);
                }

                ids.AddRange(CollectionsMarshal.AsSpan(symbols));
            }
        }
        catch (RegexMatchTimeoutException exception)
        {
            throw new ModelFormatException(
                File, $"its pattern '{exception.Pattern}' did not finish on a text of {text.Length} characters.", "Use the tokenizer of a model that you trust, or a shorter text.", exception);
        }
    }
}
