using System.Text;

namespace Aries;

/// <summary>Spells a word in the symbols that merging starts from.</summary>
internal abstract class SymbolAlphabet
{
    /// <summary>Appends the symbols of a word, or its one token where it needs no merging.</summary>
    /// <returns>Whether merges are to be applied.</returns>
    public abstract bool Spell(string word, List<int> symbols);

    protected static ArgumentException Unspellable(string word, string what) =>
        new($"The vocabulary of the tokenizer has no token for {what} in the text '{(word.Length <= 60 ? word : word[..60] + "…")}'. Leave it out, or use a model that knows it.", nameof(word));
}

/// <summary>The 256 bytes of UTF-8, each spelled as a printable character: GPT-2, Llama 3, Qwen2, SmolLM2.</summary>
/// <param name="byteIds">The id of each byte, or −1.</param>
/// <param name="unknownId">The id for a byte without one, or null.</param>
/// <param name="wholeWords">The ids of whole words that are taken without merging (<c>ignore_merges</c>), or null.</param>
internal sealed class ByteAlphabet(int[] byteIds, int? unknownId, Dictionary<string, int>? wholeWords) : SymbolAlphabet
{
    /// <summary>Gets the character that spells each byte.</summary>
    /// <remarks>GPT-2's <c>bytes_to_unicode</c>: printable Latin-1 characters stand for themselves, the other 68 bytes for U+0100 and on.</remarks>
    public static IReadOnlyList<char> Characters { get; } = MakeCharacters();

    /// <summary>Returns the bytes that a spelling stands for, or null where a character stands for none.</summary>
    public static byte[]? BytesOf(string spelling)
    {
        byte[] bytes = new byte[spelling.Length];
        for (int index = 0; index < bytes.Length; index++)
        {
            if (!ByteOf.TryGetValue(spelling[index], out bytes[index]))
            {
                return null;
            }
        }

        return bytes;
    }

    public override bool Spell(string word, List<int> symbols)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(word);
        if (wholeWords is not null)
        {
            string spelling = string.Create(bytes.Length, bytes, static (span, source) =>
            {
                for (int index = 0; index < span.Length; index++)
                {
                    span[index] = Characters[source[index]];
                }
            });
            if (wholeWords.TryGetValue(spelling, out int id))
            {
                symbols.Add(id);
                return false;
            }
        }

        foreach (byte value in bytes)
        {
            symbols.Add(byteIds[value] >= 0 ? byteIds[value] : unknownId ?? throw Unspellable(word, $"the byte 0x{value:X2}"));
        }

        return true;
    }

    private static Dictionary<char, byte> ByteOf { get; } =
        Characters.Select((character, index) => KeyValuePair.Create(character, (byte)index)).ToDictionary();

    private static char[] MakeCharacters()
    {
        char[] characters = new char[256];
        int next = 0x100;
        for (int value = 0; value < characters.Length; value++)
        {
            bool isPrintable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            characters[value] = isPrintable ? (char)value : (char)next++;
        }

        return characters;
    }
}

/// <summary>Code points, with bytes for those that the vocabulary lacks: Llama 2, Mistral, TinyLlama, llama2.c.</summary>
/// <param name="ids">The ids of code points.</param>
/// <param name="byteIds">The id of each byte, or −1; null where there is no byte fallback.</param>
/// <param name="unknownId">The id for what has no other, or null.</param>
/// <param name="fusesUnknown">Whether unknown code points in a row become one.</param>
internal sealed class CodePointAlphabet(Dictionary<string, int> ids, int[]? byteIds, int? unknownId, bool fusesUnknown) : SymbolAlphabet
{
    public override bool Spell(string word, List<int> symbols)
    {
        Span<byte> bytes = stackalloc byte[4];
        Span<char> characters = stackalloc char[2];
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        bool wasUnknown = false;
        foreach (Rune rune in word.EnumerateRunes())
        {
            ReadOnlySpan<char> point = characters[..rune.EncodeToUtf16(characters)];
            ReadOnlySpan<byte> encoded = bytes[..rune.EncodeToUtf8(bytes)];
            if (lookup.TryGetValue(point, out int id))
            {
                symbols.Add(id);
                wasUnknown = false;
            }
            else if (byteIds is not null && HasAll(encoded))
            {
                foreach (byte value in encoded)
                {
                    symbols.Add(byteIds[value]);
                }

                wasUnknown = false;
            }
            else
            {
                if (!(wasUnknown && fusesUnknown))
                {
                    symbols.Add(unknownId ?? throw Unspellable(word, $"the character U+{rune.Value:X4}"));
                }

                wasUnknown = true;
            }
        }

        return true;
    }

    private bool HasAll(ReadOnlySpan<byte> values)
    {
        foreach (byte value in values)
        {
            if (byteIds![value] < 0)
            {
                return false;
            }
        }

        return true;
    }
}
