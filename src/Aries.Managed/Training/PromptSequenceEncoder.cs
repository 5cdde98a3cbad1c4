namespace Aries.Managed;

/// <summary>Encodes by a model's own tokenizer and chat template.</summary>
internal sealed class PromptSequenceEncoder(PromptEncoder encoder) : ISequenceEncoder
{
    public long MovedBoundaryCount => encoder.MovedBoundaryCount;

    /// <summary>Reads the tokenizer and the template of a checkpoint.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="config">Its model's configuration.</param>
    /// <param name="template">The template to use instead of the checkpoint's own, or null.</param>
    /// <exception cref="ModelFormatException">The tokenizer or the template is missing, damaged or of an unknown kind, or the tokenizer does not belong to the model.</exception>
    public static PromptSequenceEncoder Load(PolicyCheckpoint checkpoint, LlamaConfig config, ChatTemplate? template)
    {
        ITextTokenizer tokenizer = TokenizerFolder.Load(checkpoint.ModelPath);
        return new PromptSequenceEncoder(LoadedModel.CreateEncoder(checkpoint.ModelPath, config, tokenizer, template));
    }

    public TrainingSequence Encode(Prompt prompt, string response)
    {
        EncodedExample example = encoder.Encode(prompt, response);
        return new TrainingSequence([.. example.Prompt, .. example.Response], example.Prompt.Length);
    }
}
