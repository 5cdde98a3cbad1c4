using System.Text;
using CsCheck;

namespace Aries.LocalModels.Tests;

public class CanonicalFormTests
{
    // From the figures of UAX #15 and section 3.12 of the Unicode standard: singletons, composites, reordering of marks, blocked marks,
    // Hangul, and characters that composition leaves apart.
    [Theory]
    [InlineData("plain ASCII", "plain ASCII", "plain ASCII")]
    [InlineData("\u212B", "\u00C5", "A\u030A")]
    [InlineData("\u2126", "\u03A9", "\u03A9")]
    [InlineData("\u00F4", "\u00F4", "o\u0302")]
    [InlineData("s\u0323\u0307", "\u1E69", "s\u0323\u0307")]
    [InlineData("s\u0307\u0323", "\u1E69", "s\u0323\u0307")]
    [InlineData("\u1E9B\u0323", "\u1E9B\u0323", "\u017F\u0323\u0307")]
    [InlineData("\u1E0D\u0307", "\u1E0D\u0307", "d\u0323\u0307")]
    [InlineData("q\u0307\u0323", "q\u0323\u0307", "q\u0323\u0307")]
    [InlineData("a\u0315\u0300\u05AE\u0062", "\u00E0\u05AE\u0315b", "a\u05AE\u0300\u0315b")]
    [InlineData("\uAC01", "\uAC01", "\u1100\u1161\u11A8")]
    [InlineData("\u1100\u1161\u11A8", "\uAC01", "\u1100\u1161\u11A8")]
    [InlineData("\uAC00\u11A7", "\uAC00\u11A7", "\u1100\u1161\u11A7")]
    [InlineData("\u0958", "\u0915\u093C", "\u0915\u093C")]
    [InlineData("\uFB01", "\uFB01", "\uFB01")]
    [InlineData("\U0001D15E", "\U0001D157\U0001D165", "\U0001D157\U0001D165")]
    [InlineData("A\u0301\u0301", "\u00C1\u0301", "A\u0301\u0301")]
    public void Forms_OfKnownTexts_AreThoseOfTheStandard(string text, string composed, string decomposed)
    {
        Assert.Equal(composed, CanonicalForm.Compose(text));
        Assert.Equal(decomposed, CanonicalForm.Decompose(text));
    }

    [Fact]
    public void Forms_OfAnyText_AgreeWithEachOther()
    {
        Gen<string> marked = Gen.OneOf(Gen.Int[0x20, 0x3000], Gen.Int[0x300, 0x36F], Gen.Int[0xAC00, 0xD7A3], Gen.Int[0x10000, 0x1FFFF])
            .List[0, 12].Select(points => string.Concat(points.Select(point => new Rune(point).ToString())));

        marked.Sample(
            text =>
            {
                string composed = CanonicalForm.Compose(text);
                string decomposed = CanonicalForm.Decompose(text);
                Assert.Equal(composed, CanonicalForm.Compose(composed));
                Assert.Equal(composed, CanonicalForm.Compose(decomposed));
                Assert.Equal(decomposed, CanonicalForm.Decompose(composed));
            },
            iter: 3000,
            threads: 1);
    }

    [Fact]
    public void Encode_WithNfc_GivesComposedAndDecomposedTextTheSameIds()
    {
        string json = SmallTokenizer.Json(SmallTokenizer.Llama3Steps).Replace("\"normalizer\":null", "\"normalizer\":{\"type\":\"NFC\"}", StringComparison.Ordinal);
        BytePairTokenizer tokenizer = SmallTokenizer.Read(json);

        Assert.Equal(tokenizer.Encode("caf\u00E9"), tokenizer.Encode("cafe\u0301"));
        Assert.Equal("caf\u00E9", tokenizer.Decode(tokenizer.Encode("cafe\u0301")));
    }
}
