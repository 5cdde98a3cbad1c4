using System.Text;
using CsCheck;

namespace Aries.LocalModels.Tests;

/// <summary>Random texts of any assigned or unassigned code points, with more of what tokenizers treat apart.</summary>
internal static class UnicodeText
{
    private static readonly string[] Pieces =
        [" ", "  ", "\n", "\r\n", "\t", "the", "'s", "'LL", "12", "3", "é", "e\u0301", "日本", "😀", "𠀀", "\u00A0", "<s>", "<|a|>", "Hello", "!?", "\u0000"];

    // U+2581 is SentencePiece's own spelling of a space, so that it alone does not come back; U+FFFD is what the tests look for as a sign of broken characters.
    public static Gen<string> Any { get; } = Gen.OneOf(
            Gen.Int[0, Pieces.Length - 1].Select(index => Pieces[index]),
            Gen.Int[0, 0x10FFFF].Select(value => Rune.IsValid(value) && value is not (0x2581 or 0xFFFD) ? new Rune(value).ToString() : "x"))
        .List[0, 40].Select(string.Concat);
}
