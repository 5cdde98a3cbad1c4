namespace Aries.OnnxRuntime;

/// <summary>Turns a prompt and a response into the tokens that a reward model reads.</summary>
/// <threadsafety>Immutable.</threadsafety>
internal sealed class PairEncoder
{
    private readonly ITextTokenizer _tokenizer;
    private readonly ChatTemplate _chat;
    private readonly string[]? _pieces;

    /// <summary>Creates the encoder of a folder.</summary>
    /// <exception cref="ModelFormatException">The tokenizer's files are missing or malformed, or the chat template is of an unknown kind.</exception>
    public PairEncoder(string folder, string? pairTemplate)
    {
        _tokenizer = TokenizerFolder.Load(folder);
        _chat = pairTemplate is null ? ChatTemplateReader.Read(folder, _tokenizer) : ChatTemplate.Plain;
        _pieces = pairTemplate?.Split([OnnxRewardOptions.PromptSlot, OnnxRewardOptions.ResponseSlot], StringSplitOptions.None);
    }

    /// <summary>Encodes a pair, with one beginning token where the model uses one.</summary>
    public int[] Encode(ScoringRequest request)
    {
        List<TextSegment> segments = [];
        bool isPlain = _chat.IsPlain;
        if (_pieces is not null)
        {
            string prompt = string.Join('\n', request.Prompt.Select(turn => turn.Text));
            segments.AddRange([new(_pieces[0], true), new(prompt, false), new(_pieces[1], true), new(request.Response, false), new(_pieces[2], true)]);
        }
        else
        {
            segments.AddRange(_chat.Render(request.Prompt));
            segments.AddRange(_chat.RenderResponse(request.Response));
            segments.Add(new TextSegment(_chat.EndToken ?? "", true));
        }

        int[] ids = _tokenizer.Encode([.. segments.Where(segment => segment.Text.Length > 0)]);

        // A template that writes the beginning itself gets no second one.
        return isPlain && _tokenizer.BeginTokenId is { } begin && (ids.Length == 0 || ids[0] != begin) ? [begin, .. ids] : ids;
    }
}
