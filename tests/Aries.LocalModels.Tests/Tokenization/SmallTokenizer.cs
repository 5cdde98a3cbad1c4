using System.Text;
using System.Text.Json.Nodes;

namespace Aries.LocalModels.Tests;

/// <summary>Makes small byte-level tokenizers: all bytes, merges learnt from a seeded text, and the special tokens that are asked for.</summary>
internal static class SmallTokenizer
{
    public const string Gpt2Steps = """{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}""";

    public const string SmolLm2Steps =
        """{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}]}""";

    public const string Llama3Steps =
        """
        {"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false},
        {"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}
        """;

    public const string WholeTextSteps = """{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}""";

    private static readonly string[] Words = ["the", " the", " cat", "cat", " sat", "on", " on", "\n", "123", " 12", "'s", "é", "日本", "😀", "!!", "  ", "user", "system", "assistant"];

    /// <summary>Makes the JSON of a tokenizer.</summary>
    public static string Json(string preTokenizer, int merges = 60, bool ignoreMerges = false, string[]? special = null, string[]? plain = null)
    {
        JsonObject vocabulary = [];
        foreach (char character in ByteAlphabet.Characters)
        {
            vocabulary[character.ToString()] = vocabulary.Count;
        }

        JsonArray mergeList = [];
        foreach ((string left, string right) in Learn(merges))
        {
            mergeList.Add(new JsonArray(left, right));
            vocabulary[left + right] ??= vocabulary.Count;
        }

        JsonArray added = [];
        int next = vocabulary.Count;
        foreach (string name in special ?? [])
        {
            added.Add(new JsonObject { ["id"] = next++, ["content"] = name, ["special"] = true });
        }

        foreach (string name in plain ?? [])
        {
            added.Add(new JsonObject { ["id"] = next++, ["content"] = name, ["special"] = false });
        }

        return new JsonObject
        {
            ["added_tokens"] = added,
            ["normalizer"] = null,
            ["pre_tokenizer"] = JsonNode.Parse(preTokenizer),
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject { ["type"] = "BPE", ["ignore_merges"] = ignoreMerges, ["vocab"] = vocabulary, ["merges"] = mergeList },
        }.ToJsonString();
    }

    public static BytePairTokenizer Read(string json, string? config = null)
    {
        using ModelJson parsed = ModelJson.Parse(Encoding.UTF8.GetBytes(json), "tokenizer.json");
        using ModelJson? parsedConfig = config is null ? null : ModelJson.Parse(Encoding.UTF8.GetBytes(config), "tokenizer_config.json");
        return TokenizerJsonReader.Read(parsed.Root, parsedConfig?.Root);
    }

    public static BytePairTokenizer Make(string preTokenizer, int merges = 60, bool ignoreMerges = false, string[]? special = null, string[]? plain = null) =>
        Read(Json(preTokenizer, merges, ignoreMerges, special, plain));

    /// <summary>Spells a text in the characters that stand for its bytes.</summary>
    public static string Spell(string text) => string.Concat(Encoding.UTF8.GetBytes(text).Select(value => ByteAlphabet.Characters[value]));

    private static List<(string Left, string Right)> Learn(int count)
    {
        Random random = new(11);
        List<List<string>> corpus = [.. Enumerable.Range(0, 200).Select(
            _ => Spell(string.Concat(Enumerable.Range(0, 6).Select(_ => Words[random.Next(Words.Length)]))).Select(character => character.ToString()).ToList())];
        List<(string Left, string Right)> merges = [];
        while (merges.Count < count)
        {
            (string Left, string Right) best = corpus.SelectMany(symbols => symbols.Zip(symbols.Skip(1))).GroupBy(pair => pair)
                .OrderByDescending(group => group.Count()).ThenBy(group => group.Key.First + group.Key.Second, StringComparer.Ordinal).First().Key;
            merges.Add(best);
            foreach (List<string> symbols in corpus)
            {
                for (int index = 0; index + 1 < symbols.Count; index++)
                {
                    if (symbols[index] == best.Left && symbols[index + 1] == best.Right)
                    {
                        symbols[index] += best.Right;
                        symbols.RemoveAt(index + 1);
                    }
                }
            }
        }

        return merges;
    }
}
