using System.Text.Json.Nodes;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>Turns prompts and responses into ids by the native tokenizer and the folder's own chat template, or by a template of Aries.</summary>
/// <remarks>
/// The native tokenizer finds special tokens in every text. So a text of a turn, or a response, that spells one is cut inside that spelling and its halves are encoded one after the other: the text
/// stays what it is, and no user steers the model. The cut travels through the template as a character that no text of the prompt holds.
/// </remarks>
/// <threadsafety>One call at a time.</threadsafety>
internal sealed class NativeTextCodec : ITextCodec
{
    // Unicode keeps these for private use: no text that means something needs one, and of 6400 a prompt holds not all.
    private const char FirstPrivate = '\uE000';
    private const char LastPrivate = '\uF8FF';

    private readonly OgaTokenizer _tokenizer;
    private readonly GenAIFolder _folder;
    private readonly ChatTemplate? _template;
    private readonly bool _putsSpace;

    /// <summary>Creates the codec of a model.</summary>
    /// <param name="tokenizer">The native tokenizer; taken over where this succeeds.</param>
    /// <param name="folder">The model's folder.</param>
    /// <param name="template">A template that takes the place of the folder's, or null.</param>
    /// <exception cref="ModelFormatException">The tokenizer lacks a token of the template.</exception>
    /// <exception cref="OgaException">The native tokenizer failed.</exception>
    public NativeTextCodec(OgaTokenizer tokenizer, GenAIFolder folder, ChatTemplate? template)
    {
        (_tokenizer, _folder, _putsSpace) = (tokenizer, folder, tokenizer.PutsSpace());

        // Without any template, a prompt's texts stand as they are.
        _template = template ?? (folder.HasChatTemplate ? null : ChatTemplate.Plain);
        int[] modelEnds = tokenizer.EndTokenIds();
        if (modelEnds.Length == 0)
        {
            throw new ModelFormatException(folder.Path, "eos_token_id names no token, so no response would ever end.", "Add it to genai_config.json.");
        }

        int end = template is null ? FolderEnd(modelEnds) : TemplateEnd(template, modelEnds);
        EndTokenIds = [.. modelEnds.Prepend(end).Distinct()];
    }

    /// <inheritdoc />
    public IReadOnlyList<int> EndTokenIds { get; }

    /// <inheritdoc />
    public bool UsesChatTemplate => _template is not { IsPlain: true };

    /// <inheritdoc />
    public int[] EncodePrompt(Prompt prompt)
    {
        char cut = FreeCharacter(prompt, "");
        return EncodeText(Render(prompt, cut), cut);
    }

    /// <inheritdoc />
    public EncodedExample Encode(Prompt prompt, string response, bool isEnded = true)
    {
        char cut = FreeCharacter(prompt, response);
        string rendered = Render(prompt, cut);
        string continuation = RenderResponse(Guard(response, cut));
        int[] promptIds = EncodeText(rendered, cut);
        if (promptIds.Length == 0)
        {
            throw new ArgumentException("The prompt has no token, so there is nothing that the response's first token could follow. Give it a text.", nameof(prompt));
        }

        int[] together = EncodeText(rendered + continuation, cut);
        bool isMoved = !together.AsSpan().StartsWith(promptIds);
        int[] responseIds = isMoved ? EncodeContinuation(continuation, cut) : together[promptIds.Length..];
        return new EncodedExample(promptIds, isEnded ? [.. responseIds, EndTokenIds[0]] : responseIds, isMoved);
    }

    /// <inheritdoc />
    public int[] EncodePrediction(string text)
    {
        char cut = FreeCharacter([], text);
        return text.Contains('\0', StringComparison.Ordinal) ? [] : EncodeContinuation(RenderResponse(Guard(text, cut)), cut);
    }

    /// <inheritdoc />
    /// <remarks>Without a template a response goes on where the prompt's text ended, so that a space which begins it is part of it.</remarks>
    public ITokenTextDecoder CreateDecoder() => _tokenizer.CreateDecoder(stripsSpace: _putsSpace && UsesChatTemplate);

    public void Dispose() => _tokenizer.Dispose();

    private string Render(Prompt prompt, char cut)
    {
        PromptTurn[] turns = [.. prompt.Select(turn => new PromptTurn(turn.Role, Guard(turn.Text, cut)))];
        if (_template is { } template)
        {
            return string.Concat(template.Render(new Prompt(turns)).Select(segment => segment.Text));
        }

        JsonArray messages = [];
        foreach (PromptTurn turn in turns)
        {
            messages.Add((JsonNode)new JsonObject { ["role"] = RoleName(turn.Role), ["content"] = turn.Text });
        }

        try
        {
            return _tokenizer.ApplyChatTemplate(messages.ToJsonString());
        }
        catch (OgaException exception)
        {
            throw new ArgumentException(
                $"The chat template of {_folder.Path} refuses the prompt ({exception.Message}). Give it the turns that the model knows, or set a ChatTemplate in the options.", nameof(prompt), exception);
        }
    }

    private string RenderResponse(string text) => _template is { } template ? string.Concat(template.RenderResponse(text).Select(segment => segment.Text)) : text;

    private static string RoleName(PromptRole role) => role switch
    {
        PromptRole.System => "system",
        PromptRole.Assistant => "assistant",
        _ => "user",
    };

    // The beginning token stands before texts without a template alone; a template writes its own.
    private int[] EncodeText(string text, char cut)
    {
        int[] ids = EncodeParts(text, cut);
        return _template is { IsPlain: true } && _folder.BeginTokenId is { } begin ? [begin, .. ids] : ids;
    }

    private int[] EncodeParts(string text, char cut) => text.Contains(cut, StringComparison.Ordinal) ? [.. text.Split(cut).SelectMany(_tokenizer.Encode)] : _tokenizer.Encode(text);

    // A tokenizer that puts a space before a text puts none behind a line's end; where that end makes one token with the text, the text stands alone.
    private int[] EncodeContinuation(string text, char cut)
    {
        if (!_putsSpace)
        {
            return EncodeParts(text, cut);
        }

        int[] line = _tokenizer.Encode("\n");
        int[] together = EncodeParts("\n" + text, cut);
        return together.AsSpan().StartsWith(line) ? together[line.Length..] : EncodeParts(text, cut);
    }

    private string Guard(string text, char cut)
    {
        Utf8Text.Check(text);
        foreach (string control in _folder.ControlTexts)
        {
            if (control.Length > 1 && text.Contains(control, StringComparison.Ordinal))
            {
                // Not between the halves of a surrogate pair.
                int at = char.IsHighSurrogate(control[0]) ? 2 : 1;
                text = text.Replace(control, control.Insert(Math.Min(at, control.Length - 1), cut.ToString()), StringComparison.Ordinal);
            }
        }

        return text;
    }

    private static char FreeCharacter(IEnumerable<PromptTurn> prompt, string response)
    {
        char cut = FirstPrivate;
        while (cut < LastPrivate && (response.Contains(cut, StringComparison.Ordinal) || prompt.Any(turn => turn.Text.Contains(cut, StringComparison.Ordinal))))
        {
            cut++;
        }

        return cut;
    }

    private int TemplateEnd(ChatTemplate template, int[] modelEnds)
    {
        string? missing = template.RequiredTokens.Append(template.EndToken).FirstOrDefault(token => token is not null && _tokenizer.Encode(token).Length != 1);
        return missing is not null
            ? throw new ModelFormatException(
                _folder.Path, $"the chat template '{template.Name}' needs the token '{missing}', which the tokenizer lacks.", "Use the template that the model was trained with.")
            : template.EndToken is { } end ? _tokenizer.Encode(end)[0] : modelEnds[0];
    }

    // A model may name several end tokens, of which its template ends an answer with one: the first behind the answer of a conversation.
    private int FolderEnd(int[] modelEnds)
    {
        if (_template is not null || modelEnds.Length == 1)
        {
            return modelEnds[0];
        }

        const string Answer = "answer7";
        string rendered;
        try
        {
            rendered = _tokenizer.ApplyChatTemplate(
                $$"""[{"role":"user","content":"question"},{"role":"assistant","content":"{{Answer}}"},{"role":"user","content":"question"}]""");
        }
        catch (OgaException)
        {
            // A template that allows no earlier answer says nothing of how one ends.
            return modelEnds[0];
        }

        int at = rendered.IndexOf(Answer, StringComparison.Ordinal);
        int[] behind = at < 0 ? [] : _tokenizer.Encode(rendered[(at + Answer.Length)..]);
        int end = Array.FindIndex(behind, modelEnds.Contains);
        return end < 0 ? modelEnds[0] : behind[end];
    }
}
