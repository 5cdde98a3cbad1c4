namespace Aries.Managed;

/// <summary>Everything that the files of a checkpoint hold.</summary>
internal sealed class LoadedModel
{
    public required LlamaConfig Config { get; init; }

    public required LlamaWeights Weights { get; init; }

    public LoraWeights? Adapter { get; init; }

    public required ITextTokenizer Tokenizer { get; init; }

    public required PromptEncoder Encoder { get; init; }

    /// <summary>Reads a checkpoint.</summary>
    /// <param name="modelPath">A Hugging Face model folder, or a llama2.c checkpoint file with its tokenizer beside it.</param>
    /// <param name="adapterPath">A PEFT adapter folder, or null for none.</param>
    /// <param name="template">The chat template, or null for the one that the folder names.</param>
    /// <param name="tokenizerPath">The tokenizer's folder, <c>tokenizer.json</c> or llama2.c tokenizer file; null for the one that lies with the model.</param>
    /// <exception cref="ModelFormatException">A file is missing or malformed, or two of them do not belong together.</exception>
    public static LoadedModel Load(string modelPath, string? adapterPath = null, ChatTemplate? template = null, string? tokenizerPath = null)
    {
        bool isFile = File.Exists(modelPath);

        // The small files first: what is wrong with them shows at once.
        LlamaConfig? folderConfig = isFile ? null : LlamaConfigReader.Read(modelPath);
        ITextTokenizer tokenizer = tokenizerPath is null ? TokenizerFolder.Load(modelPath) : LoadTokenizer(tokenizerPath);
        ChatTemplate chosen = template is not null
            ? ChatTemplateReader.Check(template, tokenizer, modelPath)
            : isFile ? ChatTemplate.Plain : ChatTemplateReader.Read(modelPath, tokenizer);
        CheckVocabulary(folderConfig, tokenizer, modelPath);
        (LlamaConfig config, LlamaWeights weights) = isFile ? Llama2cCheckpoint.Load(modelPath) : LlamaFolder.Load(modelPath);
        CheckVocabulary(config, tokenizer, modelPath);
        return new LoadedModel
        {
            // config.json of some models names a beginning token that their tokenizer never writes: the tokenizer knows.
            Config = config with { BeginTokenId = tokenizer.BeginTokenId },
            Weights = weights,
            Adapter = adapterPath is null ? null : PeftAdapter.Load(adapterPath, weights),
            Tokenizer = tokenizer,
            Encoder = new PromptEncoder(tokenizer, chosen, config.EndTokenIds),
        };
    }

    private static BytePairTokenizer LoadTokenizer(string path) =>
        Directory.Exists(path) ? TokenizerJsonReader.Read(path)
        : Path.GetExtension(path) == ".json" ? TokenizerJsonReader.Read(Path.GetDirectoryName(Path.GetFullPath(path))!)
        : Llama2cTokenizerReader.Read(path);

    private static void CheckVocabulary(LlamaConfig? config, ITextTokenizer tokenizer, string modelPath)
    {
        // Models often have a few rows more than their tokenizer has tokens, to make a round number; never fewer.
        if (config is not null && tokenizer.VocabularySize > config.VocabularySize)
        {
            throw new ModelFormatException(
                modelPath,
                $"the tokenizer has ids up to {tokenizer.VocabularySize - 1}, but the model only {config.VocabularySize} of them (vocab_size).",
                "The two do not belong together: download both again.");
        }
    }
}
