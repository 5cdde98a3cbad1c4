using System.Text;
using System.Text.Json;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>What this backend reads of a model folder before the native library does: what is wrong with the small files shows at once, and by name.</summary>
/// <threadsafety>Immutable.</threadsafety>
internal sealed record GenAIFolder
{
    private const string FixFolder = "Point to a model folder of ONNX Runtime GenAI; GenAIModelWriter of Aries.OnnxRuntime makes one of a Hugging Face folder.";

    public required string Path { get; init; }

    public required string ModelType { get; init; }

    public required int VocabularySize { get; init; }

    /// <summary>Gets the longest prompt and response together, in tokens.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Gets the name of the graph's output, as C reads it.</summary>
    public required byte[] LogitsName { get; init; }

    /// <summary>Gets whether the native library cuts prompts into chunks of its own.</summary>
    public required bool HasChunks { get; init; }

    /// <summary>Gets the execution providers that the folder names.</summary>
    public required IReadOnlyList<GenAIExecutionProvider> Providers { get; init; }

    /// <summary>Gets the folder of the tokenizer's files.</summary>
    public required string TokenizerPath { get; init; }

    /// <summary>Gets whether the folder holds a chat template.</summary>
    public required bool HasChatTemplate { get; init; }

    /// <summary>Gets the texts of the tokens that steer the model.</summary>
    public required IReadOnlyList<string> ControlTexts { get; init; }

    /// <summary>Gets the id that stands before a text without a template, or null where none does.</summary>
    public required int? BeginTokenId { get; init; }

    /// <summary>Reads a folder.</summary>
    /// <exception cref="ModelFormatException">There is no such folder or file, it is malformed, or the model is no decoder of text.</exception>
    public static GenAIFolder Read(string folder)
    {
        string file = System.IO.Path.Combine(folder, GenAIConfig.FileName);
        if (!File.Exists(file))
        {
            throw Directory.Exists(folder)
                ? new ModelFormatException(file, "there is no such file.", FixFolder)
                : new ModelFormatException(folder, "there is no such folder.", FixFolder);
        }

        using ModelJson json = ModelJson.Read(file);
        ModelJsonObject model = json.Root.RequiredObject("model");
        ModelJsonObject decoder = model.RequiredObject("decoder");
        foreach (string part in (string[])["encoder", "embedding", "vision", "speech"])
        {
            if (model.Find(part) is { } other)
            {
                throw other.Wrong("absent", "A policy reads and writes text: use a decoder-only model.");
            }
        }

        CheckFiles(folder, decoder);
        string tokenizerFolder = model.Text("tokenizer_dir") is { } name ? System.IO.Path.Combine(folder, name) : folder;
        (IReadOnlyList<AddedToken> added, int? begin) = File.Exists(System.IO.Path.Combine(tokenizerFolder, "tokenizer.json"))
            ? TokenizerJsonReader.ReadAddedTokens(tokenizerFolder)
            : ([], null);
        return new GenAIFolder
        {
            Path = folder,
            ModelType = model.Required("type").Text(),
            VocabularySize = model.Positive("vocab_size"),
            ContextLength = model.Positive("context_length"),
            LogitsName = Encoding.UTF8.GetBytes((decoder.Find("outputs")?.Object().Text("logits") ?? "logits") + '\0'),
            HasChunks = json.Root.Find("search")?.Object().Find("chunk_size") is not null,
            Providers = ReadProviders(decoder),
            TokenizerPath = tokenizerFolder,
            HasChatTemplate = FindTemplate(tokenizerFolder),
            ControlTexts = [.. added.Where(token => token.IsSpecial).Select(token => token.Content)],
            BeginTokenId = begin,
        };
    }

    // Of a decoder that is one graph, its file; a pipeline's stages are the native library's to find.
    private static void CheckFiles(string folder, ModelJsonObject decoder)
    {
        if (decoder.Find("pipeline") is null && decoder.Text("filename") is { } name && !File.Exists(System.IO.Path.Combine(folder, name)))
        {
            throw new ModelFormatException(System.IO.Path.Combine(folder, name), "there is no such file.", "The folder is incomplete: write or download it again.");
        }
    }

    private static List<GenAIExecutionProvider> ReadProviders(ModelJsonObject decoder)
    {
        List<GenAIExecutionProvider> providers = [];
        foreach (ModelJsonValue item in decoder.Find("session_options")?.Object().Find("provider_options")?.Items() ?? [])
        {
            foreach ((string name, ModelJsonValue options) in item.Object().Members())
            {
                providers.Add(new GenAIExecutionProvider(
                    name, options.Object().Members().Where(option => option.Value.Kind == JsonValueKind.String).ToDictionary(option => option.Name, option => option.Value.Text())));
            }
        }

        return providers;
    }

    private static bool FindTemplate(string folder)
    {
        if (File.Exists(System.IO.Path.Combine(folder, "chat_template.jinja")) || File.Exists(System.IO.Path.Combine(folder, "chat_template.json")))
        {
            return true;
        }

        string config = System.IO.Path.Combine(folder, "tokenizer_config.json");
        if (!File.Exists(config))
        {
            return false;
        }

        using ModelJson json = ModelJson.Read(config);
        return json.Root.Find("chat_template") is not null;
    }
}
