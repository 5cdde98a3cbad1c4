using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Aries.TestKit;

namespace Aries.LocalModels.Tests;

public class TokenizerReaderTests
{
    [Theory]
    [InlineData("model.type", "\"Unigram\"", "model.type")]
    [InlineData("model.end_of_word_suffix", "\"</w>\"", "end_of_word_suffix")]
    [InlineData("model.dropout", "0.1", "dropout")]
    [InlineData("model.unk_token", "\"<unk>\"", "unk_token")]
    [InlineData("model.vocab", "{}", "vocabulary is empty")]
    [InlineData("model.vocab", "null", "model.vocab")]
    [InlineData("model.vocab.a", "-1", "vocab.a")]
    [InlineData("model.vocab.a", "2147483647", "far beyond")]
    [InlineData("model.vocab.a", "1", "shares the id 1")]
    [InlineData("model.merges", "[[\"a\",\"nothing\"]]", "'nothing'")]
    [InlineData("model.merges", "[\"ab\"]", "merges[0]")]
    [InlineData("model.merges", "[\"a b c\"]", "merges[0]")]
    [InlineData("model.merges", "[[\"a\"]]", "merges[0]")]
    [InlineData("model", "null", "'model'")]
    [InlineData("normalizer", "{\"type\":\"Lowercase\"}", "Lowercase")]
    [InlineData("pre_tokenizer", "{\"type\":\"Whitespace\"}", "Whitespace")]
    [InlineData("pre_tokenizer", "null", "ByteLevel")]
    [InlineData("pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\"}", "pattern")]
    [InlineData("pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Odd\"}", "Odd")]
    [InlineData("decoder", "null", "decoder")]
    [InlineData("decoder", "{\"type\":\"WordPiece\"}", "WordPiece")]
    [InlineData("added_tokens", "[{\"id\":7,\"content\":\"a\",\"special\":true}]", "added_tokens[0]")]
    [InlineData("added_tokens", "[{\"id\":-7,\"content\":\"x\"}]", "added_tokens[0]")]
    [InlineData("added_tokens", "[{\"id\":900000,\"content\":\"xx\"}]", "far beyond")]
    public void Read_BrokenRule_ThrowsWithFileAndReason(string path, string value, string reason)
    {
        JsonNode json = JsonNode.Parse(SmallTokenizer.Json(SmallTokenizer.Gpt2Steps, merges: 3))!;
        string[] keys = path.Split('.');
        JsonNode owner = keys[..^1].Aggregate(json, (node, key) => node[key]!);
        owner[keys[^1]] = JsonNode.Parse(value);

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => SmallTokenizer.Read(json.ToJsonString()));

        Assert.Equal("tokenizer.json", exception.File);
        Assert.Contains(reason, exception.Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<b>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}]}""", null, true)]
    [InlineData("""{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<b>"}},{"Sequence":{"id":"A"}}]}]}""", null, true)]
    [InlineData("""{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<b>"}}]}""", null, false)]
    [InlineData("""{"type":"ByteLevel"}""", """{"add_bos_token":true,"bos_token":"<b>"}""", true)]
    [InlineData("""{"type":"ByteLevel"}""", """{"add_bos_token":true,"bos_token":{"content":"<b>"}}""", true)]
    [InlineData("""{"type":"ByteLevel"}""", """{"add_bos_token":false,"bos_token":"<b>"}""", false)]
    [InlineData("""{"type":"ByteLevel"}""", """{"add_bos_token":true,"bos_token":null}""", false)]
    [InlineData("null", """{"bos_token":"<b>"}""", false)]
    public void Read_BeginningToken_FollowsTheFiles(string processor, string? config, bool hasBegin)
    {
        JsonNode json = JsonNode.Parse(SmallTokenizer.Json(SmallTokenizer.Gpt2Steps, special: ["<b>"]))!;
        json["post_processor"] = JsonNode.Parse(processor);

        BytePairTokenizer tokenizer = SmallTokenizer.Read(json.ToJsonString(), config);

        Assert.Equal(hasBegin ? tokenizer.Id("<b>") : null, tokenizer.BeginTokenId);
    }

    // (a|a)*b takes two to the power of the text's length where it fails, were it matched by backtracking.
    [Fact]
    public void Encode_HostilePattern_EndsSoon()
    {
        BytePairTokenizer tokenizer = SmallTokenizer.Make(
            """{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(a|a)*b"},"behavior":"Isolated"},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}""");

        string text = new('a', 5000);

        Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
    }

    [Fact]
    public void Load_ModelFileOrFolder_FindsTokenizer()
    {
        using TempFolder folder = new();
        File.Copy(TestData.Golden("stories260K-hf", "tokenizer.bin"), folder.At("tokenizer.bin"));

        int[] expected = TokenizerFolder.Load(TestData.Golden("stories260K-hf")).Encode("Once upon a time");

        Assert.Equal(expected, TokenizerFolder.Load(TestData.Golden("stories260K", "stories260K.bin")).Encode("Once upon a time"));
        Assert.Equal(expected, TokenizerFolder.Load(folder.Path).Encode("Once upon a time"));
    }

    [Fact]
    public void Load_FolderWithoutTokenizer_ThrowsAndNamesFile()
    {
        using TempFolder folder = new();

        Assert.Equal(folder.At("tokenizer.json"), Assert.Throws<ModelFormatException>(() => TokenizerFolder.Load(folder.Path)).File);
    }

    [Fact]
    public void Read_DamagedJson_ThrowsOnlyItsOwnException()
    {
        byte[] valid = Encoding.UTF8.GetBytes(SmallTokenizer.Json(SmallTokenizer.Llama3Steps, merges: 5, special: ["<|a|>"]));

        int refused = Fuzz.Run<ModelFormatException>(
            valid,
            input =>
            {
                using ModelJson json = ModelJson.Parse(input, "tokenizer.json");
                BytePairTokenizer tokenizer = TokenizerJsonReader.Read(json.Root, null);
                try
                {
                    tokenizer.Encode("The cat sat <|a|> on 123 mats.\n");
                }
                catch (ArgumentException exception) when (exception.ParamName == "word")
                {
                    // A valid vocabulary that has lost a letter: the text's fault, not the file's.
                }
            },
            count: 3000,
            allocationLimit: 2_000_000);

        Assert.True(refused > 1000, $"Only {refused} inputs were refused.");
    }

    [Fact]
    public void Read_DamagedLlama2cFile_ThrowsOnlyItsOwnException()
    {
        byte[] valid = File.ReadAllBytes(TestData.Golden("stories260K-hf", "tokenizer.bin"));

        int refused = Fuzz.Run<ModelFormatException>(valid, input => Llama2cTokenizerReader.Read(input, "tokenizer.bin"), count: 3000, allocationLimit: 2_000_000);

        Assert.True(refused > 500, $"Only {refused} inputs were refused.");
    }

    [Theory]
    [InlineData(4, float.NaN)]
    [InlineData(4, float.PositiveInfinity)]
    public void Read_ScoreThatIsNoNumber_Throws(int at, float score)
    {
        byte[] bytes = File.ReadAllBytes(TestData.Golden("stories260K-hf", "tokenizer.bin"));
        BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(at), score);

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => Llama2cTokenizerReader.Read(bytes, "tokenizer.bin"));

        Assert.Contains("score", exception.Problem, StringComparison.Ordinal);
    }
}
