namespace Aries.Managed;

/// <summary>Everything that the files of a checkpoint hold.</summary>
internal sealed class LoadedModel
{
    public required LlamaConfig Config { get; init; }

    public required LlamaWeights Weights { get; init; }

    public LoraWeights? Adapter { get; init; }

    public required ITextTokenizer Tokenizer { get; init; }

    public required PromptEncoder Encoder { get; init; }

    /// <summary>Reads a checkpoint, to generate and to score with it.</summary>
    /// <param name="modelPath">A Hugging Face model folder, or a llama2.c checkpoint file with its tokenizer beside it.</param>
    /// <param name="adapterPath">A PEFT adapter folder, or null for none.</param>
    /// <param name="template">The chat template, or null for the one that the folder names.</param>
    /// <param name="tokenizerPath">The tokenizer's folder, <c>tokenizer.json</c> or llama2.c tokenizer file; null for the one that lies with the model.</param>
    /// <param name="storage">How the weights are kept.</param>
    /// <exception cref="ModelFormatException">A file is missing or malformed, or two of them do not belong together.</exception>
    public static LoadedModel Load(
        string modelPath, string? adapterPath = null, ChatTemplate? template = null, string? tokenizerPath = null, WeightStorage storage = WeightStorage.Float32)
    {
        // The small files first: what is wrong with them shows at once.
        LlamaConfig? folderConfig = File.Exists(modelPath) ? null : LlamaConfigReader.Read(modelPath);
        ITextTokenizer tokenizer = tokenizerPath is null ? TokenizerFolder.Load(modelPath) : LoadTokenizer(tokenizerPath);
        PromptEncoder? encoder = folderConfig is null ? null : CreateEncoder(modelPath, folderConfig, tokenizer, template);
        (LlamaConfig config, LlamaWeights weights) = LlamaFolder.Load(modelPath, storage);
        return new LoadedModel
        {
            // config.json of some models names a beginning token that their tokenizer never writes: the tokenizer knows.
            Config = config with { BeginTokenId = tokenizer.BeginTokenId },
            Weights = weights,
            Adapter = adapterPath is null ? null : PeftAdapter.Load(adapterPath, weights).Pack(),
            Tokenizer = tokenizer,
            Encoder = encoder ?? CreateEncoder(modelPath, config, tokenizer, template),
        };
    }

    /// <summary>Makes the encoder of a model, for generation and for training alike.</summary>
    /// <param name="modelPath">The model's folder or llama2.c file.</param>
    /// <param name="config">Its configuration.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="template">The chat template, or null for the one that the folder names; a file's prompts are plain.</param>
    /// <exception cref="ModelFormatException">The tokenizer has ids that the model has not, or lacks a token of the template, or the template is of an unknown kind.</exception>
    public static PromptEncoder CreateEncoder(string modelPath, LlamaConfig config, ITextTokenizer tokenizer, ChatTemplate? template) =>
        PromptEncoder.Create(modelPath, config.VocabularySize, config.EndTokenIds, tokenizer, template);

    private static ITextTokenizer LoadTokenizer(string path) =>
        Directory.Exists(path) ? TokenizerFolder.Load(path)
        : Path.GetExtension(path) == ".json" ? TokenizerJsonReader.ReadFile(path)
        : Llama2cTokenizerReader.Read(path);
}
