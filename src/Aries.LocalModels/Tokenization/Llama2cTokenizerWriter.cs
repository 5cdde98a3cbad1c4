using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Aries;

/// <summary>Writes a llama2.c tokenizer as <c>tokenizer.json</c> and <c>tokenizer_config.json</c>, which other tools read.</summary>
internal static class Llama2cTokenizerWriter
{
    private const char Space = '\u2581';

    private static readonly string[] SpecialNames = ["<unk>", "<s>", "</s>"];

    // Readable characters instead of escapes, as Hugging Face writes the file; it is never put into HTML.
    private static readonly JsonWriterOptions Options = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes both files into a folder.</summary>
    /// <param name="tokenizerPath">The llama2.c tokenizer.</param>
    /// <param name="folder">The folder.</param>
    /// <returns>Whether the files were written: not where two pieces are spelled alike or one is no text, which the format cannot say.</returns>
    /// <exception cref="ModelFormatException">The tokenizer is damaged.</exception>
    public static bool Write(string tokenizerPath, string folder)
    {
        List<(float Score, byte[] Piece)> pieces = Llama2cTokenizerReader.ReadPieces(File.ReadAllBytes(tokenizerPath), tokenizerPath);
        Dictionary<string, int> ids = new(pieces.Count, StringComparer.Ordinal);
        for (int id = 0; id < pieces.Count; id++)
        {
            byte[] piece = pieces[id].Piece;
            string name = id < SpecialNames.Length ? SpecialNames[id] : Encoding.UTF8.GetString(piece).Replace(' ', Space);
            if (name.Contains('\uFFFD', StringComparison.Ordinal) || !ids.TryAdd(name, id))
            {
                return false;
            }
        }

        AtomicOutput.WriteFile(Path.Combine(folder, "tokenizer.json"), stream => WriteTokenizer(stream, pieces, ids));
        AtomicOutput.WriteFile(Path.Combine(folder, "tokenizer_config.json"), WriteConfig);
        return true;
    }

    private static void WriteTokenizer(Stream stream, List<(float Score, byte[] Piece)> pieces, Dictionary<string, int> ids)
    {
        using Utf8JsonWriter json = new(stream, Options);
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        for (int id = 0; id < SpecialNames.Length; id++)
        {
            json.WriteStartObject();
            json.WriteNumber("id", id);
            json.WriteString("content", SpecialNames[id]);
            foreach (string key in (string[])["single_word", "lstrip", "rstrip", "normalized"])
            {
                json.WriteBoolean(key, false);
            }

            json.WriteBoolean("special", true);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteRaw(json, "normalizer", """{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}""");
        json.WriteNull("pre_tokenizer");
        WriteRaw(json, "post_processor", """
            {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
            "pair":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<s>","type_id":1}},{"Sequence":{"id":"B","type_id":1}}],
            "special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}}
            """);
        WriteRaw(json, "decoder", """
            {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}
            """);
        WriteModel(json, pieces, ids);
        json.WriteEndObject();
    }

    private static void WriteModel(Utf8JsonWriter json, List<(float Score, byte[] Piece)> pieces, Dictionary<string, int> ids)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteString("unk_token", "<unk>");
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", true);
        json.WriteBoolean("byte_fallback", true);
        json.WriteBoolean("ignore_merges", false);
        json.WriteStartObject("vocab");
        foreach ((string name, int id) in ids.OrderBy(pair => pair.Value))
        {
            json.WriteNumber(name, id);
        }

        json.WriteEndObject();
        json.WriteStartArray("merges");
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();

        // Every way to make a piece of two pieces is a merge; the better its score, the sooner it is applied.
        foreach ((string name, int id) in ids.Where(pair => pair.Value >= Llama2cTokenizerReader.FirstPiece).OrderByDescending(pair => pieces[pair.Value].Score).ThenBy(pair => pair.Value))
        {
            for (int split = 1; split < name.Length; split++)
            {
                if (lookup.TryGetValue(name.AsSpan(0, split), out int left) && left >= Llama2cTokenizerReader.FirstPiece
                    && lookup.TryGetValue(name.AsSpan(split), out int right) && right >= Llama2cTokenizerReader.FirstPiece)
                {
                    json.WriteStartArray();
                    json.WriteStringValue(name.AsSpan(0, split));
                    json.WriteStringValue(name.AsSpan(split));
                    json.WriteEndArray();
                }
            }
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteConfig(Stream stream)
    {
        using Utf8JsonWriter json = new(stream, Options);
        json.WriteStartObject();
        json.WriteString("tokenizer_class", "LlamaTokenizer");
        json.WriteString("bos_token", "<s>");
        json.WriteString("eos_token", "</s>");
        json.WriteString("unk_token", "<unk>");
        json.WriteBoolean("add_bos_token", true);
        json.WriteBoolean("add_eos_token", false);
        json.WriteBoolean("clean_up_tokenization_spaces", false);
        json.WriteBoolean("legacy", true);
        json.WriteEndObject();
    }

    private static void WriteRaw(Utf8JsonWriter json, string key, string value)
    {
        // Parsed and written again, so that spacing and escapes are the writer's.
        using JsonDocument document = JsonDocument.Parse(value);
        json.WritePropertyName(key);
        document.RootElement.WriteTo(json);
    }
}
