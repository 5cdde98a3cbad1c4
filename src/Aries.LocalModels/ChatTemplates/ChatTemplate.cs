using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Aries;

/// <summary>How a model was trained to read a conversation: the texts that stand before and after each turn.</summary>
/// <remarks>
/// <para>
/// The texts of a template are trusted: special tokens are looked for in them. The texts of the turns are not: whatever they hold, they never become special tokens.
/// </para>
/// <para>
/// A model's folder names its template in the Jinja language. The engine does not run Jinja: it recognises the common families by their marks and refuses what it does not know.
/// For a model of another family, make a template from its documentation and pass it in the options of what loads the model.
/// </para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed record ChatTemplate
{
    /// <summary>Gets no template: the texts of the turns, joined as they are. For base models.</summary>
    public static ChatTemplate Plain { get; } = new() { Name = "plain" };

    /// <summary>Gets ChatML, without a default system text: Qwen, SmolLM2.</summary>
    public static ChatTemplate ChatMl { get; } = new()
    {
        Name = "chatml",
        SystemStart = "<|im_start|>system\n",
        SystemEnd = "<|im_end|>\n",
        UserStart = "<|im_start|>user\n",
        UserEnd = "<|im_end|>\n",
        AssistantStart = "<|im_start|>assistant\n",
        AssistantEnd = "<|im_end|>\n",
        ResponseStart = "<|im_start|>assistant\n",
        EndToken = "<|im_end|>",
        RequiredTokens = ["<|im_start|>", "<|im_end|>"],
    };

    /// <summary>Gets the template of Llama 3, without the dates that Llama 3.1 and 3.2 put into the system turn.</summary>
    public static ChatTemplate Llama3 { get; } = new()
    {
        Name = "llama3",
        Start = "<|begin_of_text|>",
        SystemStart = "<|start_header_id|>system<|end_header_id|>\n\n",
        SystemEnd = "<|eot_id|>",
        UserStart = "<|start_header_id|>user<|end_header_id|>\n\n",
        UserEnd = "<|eot_id|>",
        AssistantStart = "<|start_header_id|>assistant<|end_header_id|>\n\n",
        AssistantEnd = "<|eot_id|>",
        ResponseStart = "<|start_header_id|>assistant<|end_header_id|>\n\n",
        TrimsTurns = true,
        EndToken = "<|eot_id|>",
        RequiredTokens = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    };

    /// <summary>Gets the template of Llama 2: <c>[INST]</c> with the system's text between <c>&lt;&lt;SYS&gt;&gt;</c> marks.</summary>
    public static ChatTemplate Llama2 { get; } = new()
    {
        Name = "llama2",
        SystemPlace = SystemTextPlace.FirstUserTurn,
        SystemStart = "<<SYS>>\n",
        SystemEnd = "\n<</SYS>>\n\n",
        UserStart = "<s>[INST] ",
        UserEnd = " [/INST]",
        AssistantStart = " ",
        AssistantEnd = " </s>",
        ResponseLead = " ",
        TrimsTurns = true,
        EndToken = "</s>",
        RequiredTokens = ["<s>", "</s>"],
    };

    /// <summary>Gets the template of Mistral 7B Instruct 0.1 and 0.2: <c>[INST]</c>, the system's text before the first question.</summary>
    public static ChatTemplate Mistral { get; } = new()
    {
        Name = "mistral",
        Start = "<s>",
        SystemPlace = SystemTextPlace.FirstUserTurn,
        SystemEnd = "\n\n",
        UserStart = "[INST] ",
        UserEnd = " [/INST]",
        AssistantStart = " ",
        AssistantEnd = "</s>",
        ResponseLead = " ",
        EndToken = "</s>",
        RequiredTokens = ["<s>", "</s>"],
    };

    /// <summary>Gets the template of Zephyr and TinyLlama Chat.</summary>
    public static ChatTemplate Zephyr { get; } = new()
    {
        Name = "zephyr",
        SystemStart = "<|system|>\n",
        SystemEnd = "</s>\n",
        UserStart = "<|user|>\n",
        UserEnd = "</s>\n",
        AssistantStart = "<|assistant|>\n",
        AssistantEnd = "</s>\n",
        ResponseStart = "<|assistant|>\n",
        EndToken = "</s>",
        RequiredTokens = ["</s>"],
    };

    /// <summary>Gets the template's name, for messages and reports.</summary>
    public required string Name { get; init; }

    /// <summary>Gets what stands before the first turn, such as the model's beginning token.</summary>
    /// <value>The default is empty. <see cref="Plain"/> instead begins with the token that the tokenizer puts before a text, if any.</value>
    public string Start { get; init; } = "";

    /// <summary>Gets where the system's text goes.</summary>
    public SystemTextPlace SystemPlace { get; init; }

    /// <summary>Gets the system's text of a prompt that has none; null for none.</summary>
    public string? DefaultSystemText { get; init; }

    /// <summary>Gets what stands before the system's text.</summary>
    public string SystemStart { get; init; } = "";

    /// <summary>Gets what stands after the system's text.</summary>
    public string SystemEnd { get; init; } = "";

    /// <summary>Gets what stands before a text of the user.</summary>
    public string UserStart { get; init; } = "";

    /// <summary>Gets what stands after a text of the user.</summary>
    public string UserEnd { get; init; } = "";

    /// <summary>Gets what stands before an earlier answer of the model.</summary>
    public string AssistantStart { get; init; } = "";

    /// <summary>Gets what stands after an earlier answer of the model.</summary>
    public string AssistantEnd { get; init; } = "";

    /// <summary>Gets what ends a prompt, so that the model answers next.</summary>
    public string ResponseStart { get; init; } = "";

    /// <summary>Gets white space that begins a response and is no part of its text.</summary>
    public string ResponseLead { get; init; } = "";

    /// <summary>Gets whether white space around the texts of turns is taken off.</summary>
    public bool TrimsTurns { get; init; }

    /// <summary>Gets the token that ends a response, or null for the first end token of the model.</summary>
    public string? EndToken { get; init; }

    /// <summary>Gets the tokens that the tokenizer must have, checked when a model is loaded.</summary>
    public IReadOnlyList<string> RequiredTokens { get; init; } = [];

    /// <summary>Gets whether this is <see cref="Plain"/> or a template with no texts at all.</summary>
    internal bool IsPlain => (Start + UserStart + UserEnd + AssistantStart + AssistantEnd + ResponseStart + SystemStart + SystemEnd).Length == 0;

    /// <summary>Renders a prompt up to where the response begins.</summary>
    internal IReadOnlyList<TextSegment> Render(Prompt prompt)
    {
        List<TextSegment> segments = [TextSegment.Trusted(Start)];
        string? merged = SystemPlace == SystemTextPlace.OwnTurn ? null : SystemTextOf(prompt);
        if (SystemPlace == SystemTextPlace.OwnTurn && DefaultSystemText is not null && prompt[0].Role != PromptRole.System)
        {
            AddTurn(segments, SystemStart, DefaultSystemText, SystemEnd);
        }

        int host = SystemPlace == SystemTextPlace.FirstUserTurn ? prompt.TakeWhile(turn => turn.Role != PromptRole.User).Count() : prompt.Count - 1;
        for (int index = 0; index < prompt.Count; index++)
        {
            PromptTurn turn = prompt[index];
            switch (turn.Role)
            {
                case PromptRole.System when SystemPlace == SystemTextPlace.OwnTurn:
                    AddTurn(segments, SystemStart, turn.Text, SystemEnd);
                    break;
                case PromptRole.System:
                    break;
                case PromptRole.User when merged is not null && index == host:
                    segments.Add(TextSegment.Trusted(UserStart));
                    AddTurn(segments, SystemStart, merged, SystemEnd);
                    AddTurn(segments, "", turn.Text, UserEnd);
                    break;
                case PromptRole.User:
                    AddTurn(segments, UserStart, turn.Text, UserEnd);
                    break;
                default:
                    AddTurn(segments, AssistantStart, turn.Text, AssistantEnd);
                    break;
            }
        }

        segments.Add(TextSegment.Trusted(ResponseStart));
        return segments;
    }

    /// <summary>Renders a response as it follows its prompt, without the token that ends it.</summary>
    internal IReadOnlyList<TextSegment> RenderResponse(string text)
    {
        text = TrimsTurns ? text.Trim() : text;
        return text.StartsWith(ResponseLead, StringComparison.Ordinal) ? [new(text)] : [new(ResponseLead), new(text)];
    }

    /// <summary>Names the template by what it makes of a prompt: its name and its checks change no token.</summary>
    /// <param name="prefix">A text that the fingerprint covers too.</param>
    internal string Fingerprint(string prefix)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach (string? text in (string?[])
        [
            prefix, Start, SystemPlace.ToString(), DefaultSystemText, SystemStart, SystemEnd, UserStart, UserEnd,
            AssistantStart, AssistantEnd, ResponseStart, ResponseLead, TrimsTurns ? "trim" : "", EndToken,
        ])
        {
            BinaryPrimitives.WriteInt32LittleEndian(length, text?.Length ?? -1);
            hash.AppendData(length);
            hash.AppendData(Encoding.UTF8.GetBytes(text ?? ""));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private string? SystemTextOf(Prompt prompt)
    {
        string[] texts = [.. prompt.Where(turn => turn.Role == PromptRole.System).Select(turn => turn.Text)];
        return texts.Length > 0 ? string.Join('\n', texts) : DefaultSystemText;
    }

    private void AddTurn(List<TextSegment> segments, string start, string text, string end)
    {
        segments.Add(TextSegment.Trusted(start));
        segments.Add(new TextSegment(TrimsTurns ? text.Trim() : text));
        segments.Add(TextSegment.Trusted(end));
    }
}
