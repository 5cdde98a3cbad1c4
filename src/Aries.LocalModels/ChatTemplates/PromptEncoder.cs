namespace Aries;

/// <summary>Turns prompts and responses into ids by one model's tokenizer and chat template, and responses back into text.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal sealed class PromptEncoder : IPromptEncoder
{
    private readonly ITextTokenizer _tokenizer;
    private long _movedBoundaryCount;

    /// <summary>Creates the encoder.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="template">The chat template; its tokens must be in the tokenizer.</param>
    /// <param name="modelEndTokenIds">The ids that end a text of the model; at least one.</param>
    public PromptEncoder(ITextTokenizer tokenizer, ChatTemplate template, IReadOnlyList<int> modelEndTokenIds)
    {
        _tokenizer = tokenizer;
        Template = template;
        EndTokenId = template.EndToken is { } end ? tokenizer.Id(end) ?? modelEndTokenIds[0] : modelEndTokenIds[0];
        EndTokenIds = [.. modelEndTokenIds.Prepend(EndTokenId).Distinct()];
    }

    /// <summary>Makes the encoder of a model.</summary>
    /// <param name="modelPath">The model's folder or llama2.c file.</param>
    /// <param name="vocabularySize">The number of ids that the model knows.</param>
    /// <param name="endTokenIds">The ids that end a text of the model; at least one.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="template">The chat template, or null for the one that the folder names; a file's prompts are plain.</param>
    /// <exception cref="ModelFormatException">The tokenizer has ids that the model has not, or lacks a token of the template, or the template is of an unknown kind.</exception>
    public static PromptEncoder Create(
        string modelPath, int vocabularySize, IReadOnlyList<int> endTokenIds, ITextTokenizer tokenizer, ChatTemplate? template)
    {
        // Models often have a few rows more than their tokenizer has tokens, to make a round number; never fewer.
        if (tokenizer.VocabularySize > vocabularySize)
        {
            throw new ModelFormatException(
                modelPath,
                $"the tokenizer has ids up to {tokenizer.VocabularySize - 1}, but the model only {vocabularySize} of them (vocab_size).",
                "The two do not belong together: download both again.");
        }

        ChatTemplate chosen = template is not null
            ? ChatTemplateReader.Check(template, tokenizer, modelPath)
            : File.Exists(modelPath) ? ChatTemplate.Plain : ChatTemplateReader.Read(modelPath, tokenizer);
        return new PromptEncoder(tokenizer, chosen, endTokenIds);
    }

    public ChatTemplate Template { get; }

    /// <summary>Gets the id that is appended to a response.</summary>
    public int EndTokenId { get; }

    /// <summary>Gets the ids at any of which generation stops.</summary>
    public IReadOnlyList<int> EndTokenIds { get; }

    /// <summary>Gets how many examples had a boundary between prompt and response that the tokens of both together do not keep.</summary>
    public long MovedBoundaryCount => Interlocked.Read(ref _movedBoundaryCount);

    /// <inheritdoc />
    public int[] EncodePrompt(Prompt prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return Encode(Template.Render(prompt));
    }

    /// <inheritdoc />
    public EncodedExample Encode(Prompt prompt, string response, bool isEnded = true)
    {
        ArgumentNullException.ThrowIfNull(response);
        int[] promptIds = EncodePrompt(prompt);
        IReadOnlyList<TextSegment> rendered = Template.RenderResponse(response);

        // After no text at all there is no word that the response could go on in.
        int[] together = Template.IsPlain && prompt.All(turn => turn.Text.Length == 0)
            ? [.. promptIds, .. _tokenizer.Encode(rendered, isContinuation: true)]
            : Encode([.. Template.Render(prompt), .. rendered]);
        bool isMoved = !together.AsSpan().StartsWith(promptIds);
        if (isMoved)
        {
            Interlocked.Increment(ref _movedBoundaryCount);
        }

        int[] responseIds = isMoved ? _tokenizer.Encode(rendered, isContinuation: true) : together[promptIds.Length..];
        return new EncodedExample(promptIds, isEnded ? [.. responseIds, EndTokenId] : responseIds, isMoved);
    }

    /// <inheritdoc />
    public int[] EncodePrediction(string text)
    {
        try
        {
            return _tokenizer.Encode(Template.RenderResponse(text), isContinuation: true);
        }
        catch (ArgumentException)
        {
            return [];
        }
    }

    /// <summary>Makes a decoder of one response's tokens as they are drawn.</summary>
    public TokenStreamDecoder CreateDecoder() => new(_tokenizer, isContinuation: KeepsLeadingSpace);

    /// <summary>Decodes a whole response.</summary>
    public string DecodeResponse(ReadOnlySpan<int> ids) => _tokenizer.Decode(ids, isContinuation: KeepsLeadingSpace);

    // Without a template a response goes on where the prompt's text ended, so that a space which begins it is part of it.
    private bool KeepsLeadingSpace => Template.IsPlain;

    private int[] Encode(IReadOnlyList<TextSegment> segments)
    {
        int[] ids = _tokenizer.Encode(segments);
        return Template.IsPlain && _tokenizer.BeginTokenId is { } begin ? [begin, .. ids] : ids;
    }
}
