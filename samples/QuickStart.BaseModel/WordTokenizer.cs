using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace QuickStart.BaseModel;

/// <summary>Writes a byte-level BPE tokenizer in which each word of a vocabulary, with the space before it, is one token, and each digit another.</summary>
internal static class WordTokenizer
{
    /// <summary>The id of the token that begins a sequence.</summary>
    public const int BeginId = 0;

    /// <summary>The id of the token that ends a response.</summary>
    public const int EndId = 1;

    private const string BeginText = "<|begin|>";
    private const string EndText = "<|end|>";

    /// <summary>Writes <c>tokenizer.json</c> and <c>tokenizer_config.json</c>.</summary>
    /// <param name="folder">The folder; exists.</param>
    /// <param name="words">The words.</param>
    /// <returns>The number of token ids.</returns>
    public static int Write(string folder, IEnumerable<string> words)
    {
        List<string> tokens = [BeginText, EndText];
        string[] bytes = ByteCharacters();
        tokens.AddRange(bytes);

        // Every word is built from its left by merges; two merges with one result would make the vocabulary ambiguous, so each result is merged once.
        List<(string Left, string Right)> merges = [];
        HashSet<string> known = [.. tokens];
        string space = bytes[' '];
        IEnumerable<string> pieces = Enumerable.Range(0, 10).Select(digit => space + digit)
            .Concat(words.Where(word => !char.IsUpper(word[0]) || word is "How" or "Better").Select(word => space + word))
            .Concat(words.Where(word => char.IsUpper(word[0]) && word is not ("How" or "Better")));
        foreach (string piece in pieces)
        {
            for (int length = 2; length <= piece.Length; length++)
            {
                if (known.Add(piece[..length]))
                {
                    tokens.Add(piece[..length]);
                    merges.Add((piece[..(length - 1)], piece[(length - 1)..length]));
                }
            }
        }

        JsonObject vocabulary = [];
        for (int id = 0; id < tokens.Count; id++)
        {
            vocabulary[tokens[id]] = id;
        }

        JsonObject tokenizer = new()
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray(Special(BeginId, BeginText), Special(EndId, EndText)),
            ["normalizer"] = null,
            ["pre_tokenizer"] = new JsonObject
            {
                ["type"] = "Sequence",
                ["pretokenizers"] = new JsonArray(
                    new JsonObject
                    {
                        ["type"] = "Split",
                        ["pattern"] = new JsonObject { ["Regex"] = @" ?\p{L}+| ?\p{N}|[^\s\p{L}\p{N}]|\s+" },
                        ["behavior"] = "Isolated",
                        ["invert"] = false,
                    },
                    new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = false }),
            },
            ["post_processor"] = new JsonObject
            {
                ["type"] = "TemplateProcessing",
                ["single"] = new JsonArray(SpecialPart(BeginText), SequencePart("A")),
                ["pair"] = new JsonArray(SpecialPart(BeginText), SequencePart("A"), SequencePart("B")),
                ["special_tokens"] = new JsonObject
                {
                    [BeginText] = new JsonObject { ["id"] = BeginText, ["ids"] = new JsonArray(BeginId), ["tokens"] = new JsonArray(BeginText) },
                },
            },
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = true, ["trim_offsets"] = true, ["use_regex"] = true },
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = null,
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = false,
                ["byte_fallback"] = false,
                ["ignore_merges"] = false,
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray([.. merges.Select(merge => new JsonArray(merge.Left, merge.Right))]),
            },
        };
        JsonObject configuration = new()
        {
            ["tokenizer_class"] = "PreTrainedTokenizerFast",
            ["bos_token"] = BeginText,
            ["eos_token"] = EndText,
            ["add_bos_token"] = true,
            ["add_eos_token"] = false,
            ["clean_up_tokenization_spaces"] = false,
        };
        JsonSerializerOptions options = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), tokenizer.ToJsonString(options) + "\n");
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), configuration.ToJsonString(options) + "\n");
        return tokens.Count;
    }

    private static JsonObject Special(int id, string text) => new()
    {
        ["id"] = id,
        ["content"] = text,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = true,
    };

    private static JsonObject SpecialPart(string text) => new() { ["SpecialToken"] = new JsonObject { ["id"] = text, ["type_id"] = 0 } };

    private static JsonObject SequencePart(string name) => new() { ["Sequence"] = new JsonObject { ["id"] = name, ["type_id"] = 0 } };

    // GPT-2's printable stand-in of each byte: the byte itself where it is printable, else the next free character from U+0100 on.
    private static string[] ByteCharacters()
    {
        string[] characters = new string[256];
        int next = 256;
        for (int value = 0; value < 256; value++)
        {
            bool printable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            characters[value] = ((char)(printable ? value : next++)).ToString();
        }

        return characters;
    }
}
