using System.Text.Json.Nodes;
using CsCheck;

namespace Aries.LocalModels.Tests;

public class BytePairTokenizerTests
{
    public static TheoryData<string> Steps => new() { SmallTokenizer.Gpt2Steps, SmallTokenizer.SmolLm2Steps, SmallTokenizer.Llama3Steps, SmallTokenizer.WholeTextSteps };

    [Theory]
    [MemberData(nameof(Steps))]
    public void Encode_AnyUnicode_DecodesToItself(string steps)
    {
        BytePairTokenizer tokenizer = SmallTokenizer.Make(steps, special: ["<|a|>"]);

        UnicodeText.Any.Sample(text => Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text))), iter: 2000, threads: 1);
    }

    // The oracle is byte-pair encoding as its paper words it, on lists of texts: find the best pair, merge it everywhere, again.
    [Fact]
    public void Encode_AnyUnicode_EqualsPlainOracle()
    {
        string json = SmallTokenizer.Json(SmallTokenizer.WholeTextSteps, merges: 100);
        BytePairTokenizer tokenizer = SmallTokenizer.Read(json);
        JsonNode model = JsonNode.Parse(json)!["model"]!;
        Dictionary<string, int> ids = model["vocab"]!.AsObject().ToDictionary(pair => pair.Key, pair => (int)pair.Value!);
        List<(string, string)> merges = [.. model["merges"]!.AsArray().Select(pair => ((string)pair![0]!, (string)pair[1]!))];

        UnicodeText.Any.Sample(
            text =>
            {
                List<string> symbols = [.. SmallTokenizer.Spell(text).Select(character => character.ToString())];
                while (true)
                {
                    (string, string)[] pairs = [.. symbols.Zip(symbols.Skip(1)).Where(pair => merges.Contains(pair))];
                    if (pairs.Length == 0)
                    {
                        break;
                    }

                    (string left, string right) = pairs.MinBy(pair => merges.IndexOf(pair));
                    for (int index = 0; index + 1 < symbols.Count; index++)
                    {
                        if (symbols[index] == left && symbols[index + 1] == right)
                        {
                            symbols[index] = left + right;
                            symbols.RemoveAt(index + 1);
                        }
                    }
                }

                Assert.Equal(symbols.Select(symbol => ids[symbol]), tokenizer.Encode(text));
            },
            iter: 300,
            threads: 1);
    }

    [Fact]
    public void Apply_LongTexts_QueueEqualsScan()
    {
        Random random = new(5);
        MergeTable merges = new(200);
        for (int rank = 0; rank < 200; rank++)
        {
            merges.Add(random.Next(30), random.Next(30), random.Next(40), random.Next(30));
        }

        Gen.Int[0, 29].List[0, 200].Sample(
            symbols =>
            {
                List<int> scanned = [.. symbols];
                List<int> queued = [.. symbols];
                merges.ApplyByScan(scanned);
                merges.ApplyByQueue(queued);
                Assert.Equal(scanned, queued);
            },
            iter: 2000,
            threads: 1);
    }

    // " cat" is a token that the merge list cannot reach once its last merge is gone: only ignore_merges finds it.
    [Fact]
    public void Encode_IgnoreMerges_TakesWholeWordsFromVocabulary()
    {
        foreach (bool ignores in (bool[])[false, true])
        {
            JsonNode json = JsonNode.Parse(SmallTokenizer.Json(SmallTokenizer.Gpt2Steps, ignoreMerges: ignores))!;
            JsonObject vocabulary = json["model"]!["vocab"]!.AsObject();
            vocabulary[SmallTokenizer.Spell(" zyzzyva")] = vocabulary.Count;
            BytePairTokenizer tokenizer = SmallTokenizer.Read(json.ToJsonString());

            int[] ids = tokenizer.Encode("a zyzzyva");

            Assert.Equal(ignores, ids.Length == 2);
            Assert.Equal("a zyzzyva", tokenizer.Decode(ids));
        }
    }

    [Fact]
    public void Encode_UntrustedText_NeverGivesSpecialTokens()
    {
        BytePairTokenizer tokenizer = SmallTokenizer.Make(SmallTokenizer.Llama3Steps, ignoreMerges: true, special: ["<|end|>"], plain: ["<think>"]);
        int end = tokenizer.Id("<|end|>")!.Value;
        int think = tokenizer.Id("<think>")!.Value;

        int[] untrusted = tokenizer.Encode("a<|end|>b<think>");
        int[] trusted = tokenizer.Encode("a<|end|>b<think>", allowSpecial: true);

        Assert.DoesNotContain(end, untrusted);
        Assert.Contains(think, untrusted);
        Assert.Contains(end, trusted);
        Assert.Equal("a<|end|>b<think>", tokenizer.Decode(untrusted));
        Assert.Equal("ab<think>", tokenizer.Decode(trusted));
    }

    [Fact]
    public void Encode_MergesThatMakeASpecialToken_StopBeforeIt()
    {
        JsonNode json = JsonNode.Parse(SmallTokenizer.Json(SmallTokenizer.WholeTextSteps, merges: 0))!;
        json["model"]!["vocab"]!["<>"] = 256;
        json["model"]!["merges"] = new JsonArray("< >");
        json["added_tokens"] = new JsonArray(new JsonObject { ["id"] = 256, ["content"] = "<>", ["special"] = true });
        BytePairTokenizer tokenizer = SmallTokenizer.Read(json.ToJsonString());

        Assert.Equal(2, tokenizer.Encode("<>").Length);
        Assert.Equal([256], tokenizer.Encode("<>", allowSpecial: true));
    }

    [Fact]
    public void Encode_AddedTokensThatOverlap_TakesLongestAtLeftmost()
    {
        BytePairTokenizer tokenizer = SmallTokenizer.Make(SmallTokenizer.WholeTextSteps, plain: ["<a", "<ab", "b>"]);

        Assert.Equal([tokenizer.Id("<ab")!.Value, .. tokenizer.Encode(">")], tokenizer.Encode("<ab>"));
    }

    [Fact]
    public void Encode_TokenThatStrips_TakesInWhiteSpace()
    {
        JsonNode json = JsonNode.Parse(SmallTokenizer.Json(SmallTokenizer.WholeTextSteps, special: ["<m>"]))!;
        json["added_tokens"]![0]!["lstrip"] = true;
        json["added_tokens"]![0]!["rstrip"] = true;
        BytePairTokenizer tokenizer = SmallTokenizer.Read(json.ToJsonString());

        Assert.Equal(tokenizer.Encode("a<m>b", allowSpecial: true), tokenizer.Encode("a  <m>\n b", allowSpecial: true));
    }

    [Fact]
    public void Encode_ByteOutsideVocabulary_ThrowsAndNamesIt()
    {
        JsonNode json = JsonNode.Parse(SmallTokenizer.Json(SmallTokenizer.WholeTextSteps, merges: 0))!;
        json["model"]!["vocab"]!.AsObject().Remove("z");
        BytePairTokenizer tokenizer = SmallTokenizer.Read(json.ToJsonString());

        ArgumentException exception = Assert.Throws<ArgumentException>(() => tokenizer.Encode("az"));

        Assert.Contains("0x7A", exception.Message, StringComparison.Ordinal);
    }

    // Words of the file's pattern, by hand. The letters beyond U+FFFF (a Han character, a mathematical A) count as letters.
    [Fact]
    public void Split_Llama3Pattern_GivesItsWords()
    {
        BytePairTokenizer tokenizer = SmallTokenizer.Make(SmallTokenizer.Llama3Steps);

        Assert.Equal(["I", "'LL", " say", " ", " 𠀀a", "123", "45", "!?\n\n", " x", "  "], Split(tokenizer, "I'LL say  𠀀a12345!?\n\n x  "));
    }

    [Fact]
    public void Split_SmolLm2Steps_TakesDigitsApart()
    {
        BytePairTokenizer tokenizer = SmallTokenizer.Make(SmallTokenizer.SmolLm2Steps);

        Assert.Equal(["a", " ", "1", "2", " b", "½"], Split(tokenizer, "a 12 b½"));
    }

    [Theory]
    [InlineData("Isolated", false, "a|-|b|-|-|c")]
    [InlineData("Removed", false, "a|b|c")]
    [InlineData("MergedWithPrevious", false, "a-|b-|-|c")]
    [InlineData("MergedWithNext", false, "a|-b|-|-c")]
    [InlineData("Contiguous", false, "a|-|b|--|c")]
    [InlineData("Removed", true, "-|-|-")]
    public void Split_Behavior_JoinsAsNamed(string behavior, bool isInverted, string expected)
    {
        BytePairTokenizer tokenizer = SmallTokenizer.Make($$$"""
            {"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"String":"-"},"behavior":"{{{behavior}}}","invert":{{{(isInverted ? "true" : "false")}}}},
            {"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}
            """);

        Assert.Equal(expected, string.Join('|', Split(tokenizer, "a-b--c")));
    }

    [Theory]
    [InlineData("always", "▁a|▁b", "▁a|▁b")]
    [InlineData("first", "▁a|▁b", "a|▁b")]
    [InlineData("never", "a|▁b", "a|▁b")]
    public void Split_Metaspace_FollowsItsScheme(string scheme, string atStart, string inside)
    {
        MetaspaceSplitter splitter = new('▁', scheme, splits: true);
        List<string> first = [];
        List<string> second = [];
        List<string> continued = [];

        splitter.Split("a b", TextPlace.Start, first);
        splitter.Split("a b", TextPlace.Inside, second);
        splitter.Split("a b", TextPlace.Continuation, continued);

        Assert.Equal(atStart, string.Join('|', first));
        Assert.Equal(inside, string.Join('|', second));
        Assert.Equal("a|▁b", string.Join('|', continued));
    }

    private static List<string> Split(BytePairTokenizer tokenizer, string text)
    {
        List<string> words = [text];
        foreach (TextSplitter splitter in tokenizer.Splitters)
        {
            List<string> next = [];
            words.ForEach(word => splitter.Split(word, TextPlace.Start, next));
            words = next;
        }

        return words;
    }
}
