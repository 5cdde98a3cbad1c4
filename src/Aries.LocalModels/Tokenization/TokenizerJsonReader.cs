using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Aries;

/// <summary>Reads <c>tokenizer.json</c> of Hugging Face tokenizers where its model is byte-pair encoding.</summary>
/// <remarks>A step that the engine does not implement is an error: a tokenizer that is nearly right feeds a model ids that it never saw.</remarks>
internal static class TokenizerJsonReader
{
    private const string FixUnsupported = "Use the tokenizer of a Llama, Mistral, Qwen2 or SmolLM2 model.";
    private const string FixDamaged = "The file is damaged: download it again.";

    // GPT-2's pattern, which the step "ByteLevel" applies: https://github.com/openai/gpt-2, src/encoder.py.
    private const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private const int MaximumPatternLength = 4096;

    private static readonly TimeSpan MatchTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Reads the tokenizer of a folder: <c>tokenizer.json</c>, with what <c>tokenizer_config.json</c> says of the beginning token.</summary>
    /// <exception cref="ModelFormatException">The file is missing, damaged, or asks for what the engine does not implement.</exception>
    public static BytePairTokenizer Read(string folder) => ReadFile(Path.Combine(folder, "tokenizer.json"));

    /// <summary>Reads a file of that kind, whatever its name, with what <c>tokenizer_config.json</c> beside it says of the beginning token.</summary>
    /// <exception cref="ModelFormatException">The file is missing, damaged, or asks for what the engine does not implement.</exception>
    public static BytePairTokenizer ReadFile(string path)
    {
        using ModelJson json = ModelJson.Read(path);
        string configPath = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, "tokenizer_config.json");
        using ModelJson? config = File.Exists(configPath) ? ModelJson.Read(configPath) : null;
        return Read(json.Root, config?.Root);
    }

    /// <summary>Reads what of a folder's <c>tokenizer.json</c> does not depend on how its model splits text, whatever kind that is.</summary>
    /// <returns>The added tokens, and the id that is put before a text, or null where none is.</returns>
    /// <exception cref="ModelFormatException">The file is missing or damaged.</exception>
    public static (IReadOnlyList<AddedToken> Added, int? BeginTokenId) ReadAddedTokens(string folder)
    {
        using ModelJson json = ModelJson.Read(Path.Combine(folder, "tokenizer.json"));
        string configPath = Path.Combine(folder, "tokenizer_config.json");
        using ModelJson? config = File.Exists(configPath) ? ModelJson.Read(configPath) : null;
        Dictionary<string, int> ids = new(StringComparer.Ordinal);
        List<AddedToken> added = ReadAdded(json.Root, ids);
        return (added, ReadBegin(json.Root, config?.Root, ids));
    }

    /// <summary>Reads the tokenizer out of parsed files.</summary>
    public static BytePairTokenizer Read(ModelJsonObject json, ModelJsonObject? config)
    {
        ModelJsonObject model = json.RequiredObject("model");
        CheckModel(model);
        Dictionary<string, int> ids = ReadVocabulary(model.RequiredObject("vocab"));
        List<AddedToken> added = ReadAdded(json, ids);
        int count = CheckIds(ids, json.File);
        HashSet<int> special = [.. added.Where(token => token.IsSpecial).Select(token => token.Id)];

        (List<TextSplitter> splitters, bool isByteLevel) = ReadSplitters(json.Find("pre_tokenizer"));
        DecoderSteps decoder = ReadDecoder(json.Find("decoder"), json.File);
        if (decoder.IsByteLevel != isByteLevel)
        {
            throw new ModelFormatException(json.File, "only one of 'pre_tokenizer' and 'decoder' is ByteLevel.", FixUnsupported);
        }

        bool fallsBack = model.Boolean("byte_fallback") ?? false;
        int? unknown = model.Text("unk_token") is { } name ? ids.TryGetValue(name, out int id) ? id : throw model.Required("unk_token").Wrong("a token of the vocabulary") : null;
        SymbolAlphabet alphabet = isByteLevel
            ? new ByteAlphabet(
                ByteIds(ids, value => ByteAlphabet.Characters[value].ToString(), special),
                unknown,
                model.Boolean("ignore_merges") == true ? ids.Where(pair => !special.Contains(pair.Value)).ToDictionary(StringComparer.Ordinal) : null)
            : new CodePointAlphabet(
                ids.Where(pair => IsOneCodePoint(pair.Key) && !special.Contains(pair.Value)).ToDictionary(StringComparer.Ordinal),
                fallsBack ? ByteIds(ids, ByteName, special) : null,
                unknown,
                model.Boolean("fuse_unk") ?? false);

        return new BytePairTokenizer(added, TokenBytes(ids, added, count, decoder))
        {
            File = json.File,
            Ids = ids,
            Normalizers = ReadNormalizers(json.Find("normalizer")),
            Splitters = splitters,
            Alphabet = alphabet,
            Merges = ReadMerges(model, ids, special),
            HasLeadingSpace = decoder.StripsSpace,
            BeginTokenId = ReadBegin(json, config, ids),
        };
    }

    private static void CheckModel(ModelJsonObject model)
    {
        if (model.Find("type") is { } type && type.Text() != "BPE")
        {
            throw type.Wrong("BPE", FixUnsupported);
        }

        foreach (string key in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (model.Text(key) is { Length: > 0 })
            {
                throw model.Required(key).Wrong("empty", FixUnsupported);
            }
        }

        if (model.Number("dropout") is > 0)
        {
            throw model.Required("dropout").Wrong("null: a model's prompts must always get the same ids", FixUnsupported);
        }
    }

    private static Dictionary<string, int> ReadVocabulary(ModelJsonObject vocabulary)
    {
        Dictionary<string, int> ids = new(StringComparer.Ordinal);
        foreach ((string token, ModelJsonValue value) in vocabulary.Members())
        {
            int id = value.Integer();
            ids.Add(token, id >= 0 ? id : throw value.Wrong("0 or more"));
        }

        return ids;
    }

    private static List<AddedToken> ReadAdded(ModelJsonObject json, Dictionary<string, int> ids)
    {
        List<AddedToken> added = [];
        foreach (ModelJsonValue item in json.Find("added_tokens")?.Items() ?? [])
        {
            ModelJsonObject token = item.Object();
            int id = token.Required("id").Integer();
            string content = token.Required("content").Text();
            if (id < 0 || content.Length == 0)
            {
                throw item.Wrong("a token with a content and an id of 0 or more");
            }

            if (!ids.TryAdd(content, id) && ids[content] != id)
            {
                throw item.Wrong($"the token {ids[content]}, as which the vocabulary lists '{content}'", FixDamaged);
            }

            added.Add(new AddedToken(
                id, content, token.Boolean("special") ?? false, token.Boolean("single_word") ?? false, token.Boolean("lstrip") ?? false, token.Boolean("rstrip") ?? false));
        }

        return added;
    }

    /// <summary>Returns one more than the largest id, and refuses ids that two tokens share or that lie far beyond their number.</summary>
    private static int CheckIds(Dictionary<string, int> ids, string file)
    {
        if (ids.Count == 0)
        {
            throw new ModelFormatException(file, "the vocabulary is empty.", FixDamaged);
        }

        HashSet<int> seen = new(ids.Count);
        foreach ((string token, int id) in ids)
        {
            // A gap is unusual but harmless; a table as large as a forged id is not.
            if (id >= (4L * ids.Count) + 1024)
            {
                throw new ModelFormatException(file, $"the token '{token}' has the id {id}, far beyond the number of tokens, which is {ids.Count}.", FixDamaged);
            }

            if (!seen.Add(id))
            {
                throw new ModelFormatException(file, $"the token '{token}' shares the id {id} with another.", FixDamaged);
            }
        }

        return seen.Max() + 1;
    }

    private static int[] ByteIds(Dictionary<string, int> ids, Func<int, string> spell, HashSet<int> special)
    {
        int[] result = new int[256];
        for (int value = 0; value < result.Length; value++)
        {
            result[value] = ids.TryGetValue(spell(value), out int id) && !special.Contains(id) ? id : -1;
        }

        return result;
    }

    private static string ByteName(int value) => $"<0x{value:X2}>";

    private static bool IsOneCodePoint(string token) =>
        token.Length == 1 ? !char.IsSurrogate(token[0]) : token.Length == 2 && char.IsSurrogatePair(token[0], token[1]);

    private static MergeTable ReadMerges(ModelJsonObject model, Dictionary<string, int> ids, HashSet<int> special)
    {
        ModelJsonValue value = model.Required("merges");
        List<(string Left, string Right)> pairs = [];
        foreach (ModelJsonValue item in value.Items())
        {
            pairs.Add(ReadMerge(item));
        }

        MergeTable merges = new(pairs.Count);
        for (int rank = 0; rank < pairs.Count; rank++)
        {
            (string left, string right) = pairs[rank];
            if (!ids.TryGetValue(left, out int leftId) || !ids.TryGetValue(right, out int rightId) || !ids.TryGetValue(left + right, out int merged))
            {
                throw new ModelFormatException(model.File, $"merge {rank}, of '{left}' and '{right}', names or makes a token that is not in the vocabulary.", FixDamaged);
            }

            // Text alone never makes a special token, whatever the merges say.
            if (!special.Contains(merged))
            {
                merges.Add(leftId, rightId, rank, merged);
            }
        }

        return merges;
    }

    private static (string Left, string Right) ReadMerge(ModelJsonValue item)
    {
        if (item.Kind == JsonValueKind.Array)
        {
            string[] parts = [.. item.Items().Take(3).Select(part => part.Text())];
            return parts.Length == 2 ? (parts[0], parts[1]) : throw item.Wrong("two tokens", FixDamaged);
        }

        string text = item.Text();
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        return space > 0 && space < text.Length - 1 && text.IndexOf(' ', space + 1) < 0
            ? (text[..space], text[(space + 1)..])
            : throw item.Wrong("two tokens with a space between", FixDamaged);
    }

    private static List<TextNormalizer> ReadNormalizers(ModelJsonValue? value)
    {
        List<TextNormalizer> normalizers = [];
        foreach (ModelJsonObject step in Steps(value, "normalizers"))
        {
            ModelJsonValue type = step.Required("type");
            normalizers.Add(type.Text() switch
            {
                "Prepend" => new PrependNormalizer(step.Required("prepend").Text()),
                "Replace" => ReadReplace(step),
                "NFC" => new CanonicalNormalizer(composes: true),
                "NFD" => new CanonicalNormalizer(composes: false),
                _ => throw type.Wrong("Sequence, Prepend, Replace, NFC or NFD", FixUnsupported),
            });
        }

        return normalizers;
    }

    private static TextNormalizer ReadReplace(ModelJsonObject step)
    {
        string content = step.Required("content").Text();
        ModelJsonObject pattern = step.RequiredObject("pattern");
        if (pattern.Find("String") is not { } literal)
        {
            return new ReplacePatternNormalizer(ReadPattern(pattern.Required("Regex")), content);
        }

        return literal.Text().Length > 0 ? new ReplaceNormalizer(literal.Text(), content) : throw literal.Wrong("not empty", FixDamaged);
    }

    private static (List<TextSplitter> Splitters, bool IsByteLevel) ReadSplitters(ModelJsonValue? value)
    {
        List<TextSplitter> splitters = [];
        bool isByteLevel = false;
        foreach (ModelJsonObject step in Steps(value, "pretokenizers"))
        {
            ModelJsonValue type = step.Required("type");
            if (isByteLevel)
            {
                throw type.Wrong("before ByteLevel, which comes last", FixUnsupported);
            }

            switch (type.Text())
            {
                case "ByteLevel":
                    isByteLevel = true;
                    if (step.Boolean("add_prefix_space") ?? true)
                    {
                        splitters.Add(new SpacePrefixer());
                    }

                    if (step.Boolean("use_regex") ?? true)
                    {
                        splitters.Add(new PatternSplitter(Pattern(Gpt2Pattern), SplitBehavior.Isolated, isInverted: false));
                    }

                    break;
                case "Split":
                    splitters.Add(new PatternSplitter(ReadSplitPattern(step), ReadBehavior(step.Required("behavior")), step.Boolean("invert") ?? false));
                    break;
                case "Digits":
                    splitters.Add(new DigitSplitter(step.Boolean("individual_digits") ?? false));
                    break;
                case "Metaspace":
                    splitters.Add(ReadMetaspace(step));
                    break;
                default:
                    throw type.Wrong("Sequence, ByteLevel, Split, Digits or Metaspace", FixUnsupported);
            }
        }

        return (splitters, isByteLevel);
    }

    private static MetaspaceSplitter ReadMetaspace(ModelJsonObject step) =>
        new(ReadReplacement(step), ReadScheme(step), step.Boolean("split") ?? true);

    private static char ReadReplacement(ModelJsonObject step) =>
        step.Text("replacement") switch
        {
            null => '\u2581',
            { Length: 1 } text => text[0],
            _ => throw step.Required("replacement").Wrong("one character", FixUnsupported),
        };

    private static string ReadScheme(ModelJsonObject step)
    {
        string scheme = step.Text("prepend_scheme") ?? (step.Boolean("add_prefix_space") == false ? "never" : "always");
        return scheme is "always" or "first" or "never" ? scheme : throw step.Required("prepend_scheme").Wrong("always, first or never", FixUnsupported);
    }

    private static SplitBehavior ReadBehavior(ModelJsonValue value) => value.Text() switch
    {
        "Isolated" => SplitBehavior.Isolated,
        "Removed" => SplitBehavior.Removed,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        _ => throw value.Wrong("Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous", FixUnsupported),
    };

    private static Regex ReadSplitPattern(ModelJsonObject step)
    {
        ModelJsonObject pattern = step.RequiredObject("pattern");
        return pattern.Find("String") is { } literal ? Pattern(Regex.Escape(literal.Text())) : ReadPattern(pattern.Required("Regex"));
    }

    private static Regex ReadPattern(ModelJsonValue value)
    {
        string pattern = value.Text();
        if (pattern.Length > MaximumPatternLength)
        {
            throw value.Wrong($"at most {MaximumPatternLength} characters", FixUnsupported);
        }

        try
        {
            return Pattern(pattern);
        }
        catch (ArgumentException exception)
        {
            throw new ModelFormatException(value.File, $"'{value.Key}' is a pattern that .NET does not read: {exception.Message}", FixUnsupported, exception);
        }
    }

    private static Regex Pattern(string pattern)
    {
        try
        {
            // Time in proportion to the text, whatever the pattern.
            return new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking, MatchTimeout);
        }
        catch (NotSupportedException)
        {
            // The usual patterns look ahead, which needs backtracking: that one is bounded by the timeout.
            return new Regex(pattern, RegexOptions.CultureInvariant, MatchTimeout);
        }
    }

    private static IEnumerable<ModelJsonObject> Steps(ModelJsonValue? value, string listKey)
    {
        if (value is not { } found)
        {
            return [];
        }

        ModelJsonObject step = found.Object();
        return step.Required("type").Text() == "Sequence"
            ? step.Required(listKey).Items().SelectMany(item => Steps(item, listKey))
            : [step];
    }

    private static DecoderSteps ReadDecoder(ModelJsonValue? value, string file)
    {
        if (value is null)
        {
            throw new ModelFormatException(file, "there is no 'decoder'.", FixUnsupported);
        }

        DecoderSteps result = default;
        foreach (ModelJsonObject step in Steps(value, "decoders"))
        {
            ModelJsonValue type = step.Required("type");
            switch (type.Text())
            {
                case "ByteLevel":
                    result.IsByteLevel = true;
                    break;
                case "Replace" when step.RequiredObject("pattern").Text("String") is { Length: 1 } from && step.Required("content").Text() == " ":
                    result.Space = from[0];
                    break;
                case "Metaspace":
                    result.Space = ReadReplacement(step);
                    result.StripsSpace = ReadScheme(step) != "never";
                    break;
                case "Strip" when step.Required("content").Text() == " " && step.Required("start").Integer() is 0 or 1 && step.Required("stop").Integer() == 0:
                    result.StripsSpace |= step.Required("start").Integer() == 1;
                    break;
                case "ByteFallback":
                    result.HasByteFallback = true;
                    break;
                case "Fuse":
                    break;
                default:
                    throw type.Wrong("ByteLevel, Metaspace, ByteFallback, Fuse, a Replace by a space, or a Strip of one leading space", FixUnsupported);
            }
        }

        return result;
    }

    private static byte[][] TokenBytes(Dictionary<string, int> ids, List<AddedToken> added, int count, DecoderSteps decoder)
    {
        byte[][] bytes = new byte[count][];
        Array.Fill(bytes, []);
        foreach ((string token, int id) in ids)
        {
            bytes[id] = BytesOf(token, decoder);
        }

        foreach (AddedToken token in added)
        {
            bytes[token.Id] = token.IsSpecial ? [] : Encoding.UTF8.GetBytes(token.Content);
        }

        return bytes;
    }

    private static byte[] BytesOf(string token, DecoderSteps decoder)
    {
        if (decoder.IsByteLevel)
        {
            return ByteAlphabet.BytesOf(token) ?? Encoding.UTF8.GetBytes(token);
        }

        if (decoder.HasByteFallback && token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
            && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
        {
            return [value];
        }

        return Encoding.UTF8.GetBytes(decoder.Space is { } space ? token.Replace(space, ' ') : token);
    }

    private static int? ReadBegin(ModelJsonObject json, ModelJsonObject? config, Dictionary<string, int> ids)
    {
        foreach (ModelJsonObject step in Steps(json.Find("post_processor"), "processors"))
        {
            if (step.Required("type").Text() == "TemplateProcessing"
                && step.Required("single").Items().FirstOrDefault() is { Kind: JsonValueKind.Object } first
                && first.Object().Find("SpecialToken") is { } special)
            {
                ModelJsonValue name = special.Object().Required("id");
                return ids.TryGetValue(name.Text(), out int id) ? id : throw name.Wrong("a token of the vocabulary", FixDamaged);
            }
        }

        if (config?.Boolean("add_bos_token") != true || config.Value.Find("bos_token") is not { } begin)
        {
            return null;
        }

        string token = TokenName(begin);
        return ids.TryGetValue(token, out int found) ? found : throw begin.Wrong("a token of tokenizer.json", FixDamaged);
    }

    /// <summary>Reads the name of a token out of <c>tokenizer_config.json</c>: a text, or an object with its content.</summary>
    internal static string TokenName(ModelJsonValue value) =>
        value.Kind == JsonValueKind.Object ? value.Object().Required("content").Text() : value.Text();

    private struct DecoderSteps
    {
        public bool IsByteLevel;
        public bool HasByteFallback;
        public bool StripsSpace;
        public char? Space;
    }
}
