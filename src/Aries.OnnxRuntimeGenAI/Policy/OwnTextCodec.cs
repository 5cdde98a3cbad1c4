namespace Aries.OnnxRuntimeGenAI;

/// <summary>The tokenizer and the templates of Aries, for a folder whose tokenizer the native library does not read.</summary>
/// <remarks>
/// The native tokenizer knows the patterns of well-known models alone, and refuses others. The reader of <c>tokenizer.json</c> here implements each step that it accepts as Hugging Face's does, and refuses
/// the rest, so what it reads is the folder's own tokenizer.
/// </remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal sealed class OwnTextCodec : ITextCodec
{
    private readonly PromptEncoder _encoder;

    /// <summary>Reads a folder's tokenizer.</summary>
    /// <exception cref="ModelFormatException">It is of a kind that is not implemented here either.</exception>
    public OwnTextCodec(GenAIFolder folder, ChatTemplate? template) =>
        _encoder = PromptEncoder.Create(folder.Path, folder.VocabularySize, GenAIConfig.Read(folder.Path).EndTokenIds, TokenizerFolder.Load(folder.TokenizerPath), template);

    /// <inheritdoc />
    public IReadOnlyList<int> EndTokenIds => _encoder.EndTokenIds;

    /// <inheritdoc />
    public bool UsesChatTemplate => !_encoder.Template.IsPlain;

    /// <inheritdoc />
    public int[] EncodePrompt(Prompt prompt) => _encoder.EncodePrompt(prompt);

    /// <inheritdoc />
    public EncodedExample Encode(Prompt prompt, string response, bool isEnded = true) => _encoder.Encode(prompt, response, isEnded);

    /// <inheritdoc />
    public int[] EncodePrediction(string text) => _encoder.EncodePrediction(text);

    /// <inheritdoc />
    public ITokenTextDecoder CreateDecoder() => _encoder.CreateDecoder();

    public void Dispose()
    {
    }
}
