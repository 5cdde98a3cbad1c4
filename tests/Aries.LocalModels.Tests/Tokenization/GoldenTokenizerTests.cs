using System.Text.Json;
using Aries.TestKit;
using CsCheck;

namespace Aries.LocalModels.Tests;

public class GoldenTokenizerTests
{
    private static string Folder => TestData.Golden("stories260K-hf");

    public static TheoryData<string> Files => new() { "tokenizer.json", "tokenizer.bin" };

    [Theory]
    [MemberData(nameof(Files))]
    public void Encode_GoldenTexts_GivesTheirIds(string file)
    {
        ITextTokenizer tokenizer = Load(file);
        (string Text, int[] Ids)[] vectors = Vectors();

        Assert.Equal(204, vectors.Length);
        Assert.All(vectors, vector =>
        {
            Assert.Equal(vector.Ids, tokenizer.Encode(vector.Text));
            Assert.Equal(vector.Text, tokenizer.Decode(vector.Ids));
        });
    }

    // The two formats differ by design: the golden file's known_differences.
    [Fact]
    public void Encode_KnownDifferences_AreAsRecorded()
    {
        ITextTokenizer hf = Load("tokenizer.json");
        ITextTokenizer llama2c = Load("tokenizer.bin");

        Assert.Equal([261, 268], hf.Encode("a▁b"));
        Assert.Equal([261, 229, 153, 132, 430], llama2c.Encode("a▁b"));
        Assert.Equal([270, 417, 410, 1, 410, 383], hf.Encode("hi <s> there", allowSpecial: true));
        Assert.Equal([270, 417, 410, 504, 419, 505, 383], hf.Encode("hi <s> there"));
        Assert.Equal([270, 417, 410, 504, 419, 505, 383], llama2c.Encode("hi <s> there"));
        Assert.Equal([0, 410, 259, 411, 444, 413], hf.Encode("<unk> text", allowSpecial: true));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Load_GoldenTokenizer_KnowsItsTokens(string file)
    {
        ITextTokenizer tokenizer = Load(file);

        Assert.Equal(512, tokenizer.VocabularySize);
        Assert.Equal(1, tokenizer.BeginTokenId);
        Assert.Equal(2, tokenizer.Id("</s>"));
        Assert.Null(tokenizer.Id("no such token"));
        Assert.True(tokenizer.HasLeadingSpace);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Encode_AnyUnicode_DecodesToItself(string file)
    {
        ITextTokenizer tokenizer = Load(file);

        UnicodeText.Any.Sample(
            text => Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text))), iter: 3000, threads: 1);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Append_AnyUnicode_StreamsWholeCharacters(string file)
    {
        ITextTokenizer tokenizer = Load(file);

        UnicodeText.Any.Sample(
            text =>
            {
                TokenStreamDecoder decoder = new(tokenizer, isContinuation: false);
                string[] pieces = [.. tokenizer.Encode(text).Select(id => decoder.Append(id).ToString())];
                Assert.All(pieces, piece => Assert.DoesNotContain('\uFFFD', piece));
                Assert.Equal(text, string.Concat(pieces) + decoder.Flush().ToString());
            },
            iter: 1000,
            threads: 1);
    }

    // Text and its continuation: nothing is lost or added where they meet.
    [Theory]
    [MemberData(nameof(Files))]
    public void Encode_Continuation_PutsNoSpaceBetween(string file)
    {
        ITextTokenizer tokenizer = Load(file);

        int[] first = tokenizer.Encode("Once upon");
        int[] rest = tokenizer.Encode(" a time", isContinuation: true);

        Assert.Equal("Once upon a time", tokenizer.Decode([.. first, .. rest]));
        Assert.Equal(" a time", tokenizer.Decode(rest, isContinuation: true));
        Assert.Equal("a time", tokenizer.Decode(rest));
        int[] joined = [.. first, .. rest];
        Assert.Equal(tokenizer.Encode("Once upon a time"), joined);
    }

    [Fact]
    public void Flush_HalfACharacter_GivesReplacement()
    {
        ITextTokenizer tokenizer = Load("tokenizer.bin");
        TokenStreamDecoder decoder = new(tokenizer);

        // é is C3 A9: byte tokens are the byte plus 3.
        Assert.Equal("", decoder.Append(0xC3 + 3).ToString());
        Assert.Equal("é", decoder.Append(0xA9 + 3).ToString());
        Assert.Equal("", decoder.Append(0xC3 + 3).ToString());
        Assert.Equal("\uFFFD", decoder.Flush().ToString());
    }

    [Fact]
    public void Encode_TrustedAndOtherParts_JoinsTextsThatTouch()
    {
        ITextTokenizer tokenizer = Load("tokenizer.json");

        int[] ids = tokenizer.Encode([TextSegment.Trusted("<s>Once"), new(" up"), TextSegment.Trusted("on a ti"), new("me"), TextSegment.Trusted("</s>")]);

        int[] expected = [1, .. tokenizer.Encode("Once upon a time"), 2];
        Assert.Equal(expected, ids);
    }

    // Neither half of a special token that lies across a border, nor a whole one in a turn, becomes a token.
    [Fact]
    public void Encode_SpecialTextOutsideTrustedParts_StaysText()
    {
        ITextTokenizer tokenizer = Load("tokenizer.json");

        int[] ids = tokenizer.Encode([TextSegment.Trusted("a<"), new("s></s>")]);

        Assert.Equal(tokenizer.Encode("a<s></s>"), ids);
        Assert.DoesNotContain(1, ids);
        Assert.DoesNotContain(2, ids);
    }

    internal static ITextTokenizer Load(string file) =>
        file == "tokenizer.json" ? TokenizerJsonReader.Read(Folder) : Llama2cTokenizerReader.Read(Path.Combine(Folder, file));

    private static (string Text, int[] Ids)[] Vectors()
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "tokenizer_vectors.json")));
        return [.. json.RootElement.GetProperty("vectors").EnumerateArray().Select(vector => (
            vector.GetProperty("text").GetString()!, vector.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()).ToArray()))];
    }
}
