using System.Text.Json;
using System.Text.RegularExpressions;

namespace Aries;

/// <summary>Finds out which family of chat templates a model's folder names.</summary>
internal static partial class ChatTemplateReader
{
    private const string Fix =
        "The engine does not run Jinja and knows ChatML, Llama 3, Llama 2, Mistral and Zephyr: make a ChatTemplate from the model's documentation, "
        + "or take ChatTemplate.Plain, and set it in the options that load the model.";

    /// <summary>Reads the template of a folder: <c>chat_template.jinja</c>, else what <c>tokenizer_config.json</c> holds, else <see cref="ChatTemplate.Plain"/>.</summary>
    /// <exception cref="ModelFormatException">The template is of no known family, or the tokenizer lacks one of its tokens.</exception>
    public static ChatTemplate Read(string modelPath, ITextTokenizer tokenizer)
    {
        string jinja = Path.Combine(modelPath, "chat_template.jinja");
        if (File.Exists(jinja))
        {
            return Check(Recognize(File.ReadAllText(jinja), jinja), tokenizer, jinja);
        }

        foreach (string name in (string[])["chat_template.json", "tokenizer_config.json"])
        {
            string path = Path.Combine(modelPath, name);
            if (!File.Exists(path))
            {
                continue;
            }

            using ModelJson json = ModelJson.Read(path);
            if (json.Root.Find("chat_template") is { } value)
            {
                return Check(Recognize(TextOf(value), path), tokenizer, path);
            }
        }

        return ChatTemplate.Plain;
    }

    /// <summary>Checks that a tokenizer has the tokens that a template needs.</summary>
    /// <exception cref="ModelFormatException">One is missing.</exception>
    public static ChatTemplate Check(ChatTemplate template, ITextTokenizer tokenizer, string file)
    {
        string? missing = template.RequiredTokens.Append(template.EndToken).FirstOrDefault(token => token is not null && tokenizer.Id(token) is null);
        return missing is null
            ? template
            : throw new ModelFormatException(
                file, $"the chat template '{template.Name}' needs the token '{missing}', which the tokenizer lacks.", "Use the template that the model was trained with.");
    }

    /// <summary>Recognises a template by the marks of its family. One that has them and differs in another is of no known family: its model would read what it never saw.</summary>
    public static ChatTemplate Recognize(string jinja, string file)
    {
        // Phi-4 has a mark of its own where ChatML has a newline.
        if (Has(jinja, "<|im_start|>") && Has(jinja, "<|im_end|>") && !Has(jinja, "<|im_sep|>"))
        {
            Match system = ChatMlSystem().Match(jinja);
            return system.Success ? ChatTemplate.ChatMl with { DefaultSystemText = system.Groups["text"].Value.Replace("\\n", "\n", StringComparison.Ordinal) } : ChatTemplate.ChatMl;
        }

        if (Has(jinja, "<|start_header_id|>") && Has(jinja, "<|eot_id|>"))
        {
            return Has(jinja, "Cutting Knowledge Date") ? WithDates(ChatTemplate.Llama3) : ChatTemplate.Llama3;
        }

        // Mistral's later tokenizers, of Nemo and Ministral, have no space after the mark, and of assistants' turns there are two forms.
        if (Has(jinja, "[INST] ") && Has(jinja, "[/INST]"))
        {
            return Has(jinja, "<<SYS>>") ? ChatTemplate.Llama2
                : Has(jinja, " [/INST]") ? ChatTemplate.Mistral

                // Mistral 7B Instruct 0.3: no space before the mark, and the system's text in the last turn.
                : ChatTemplate.Mistral with { UserEnd = "[/INST]", SystemPlace = SystemTextPlace.LastUserTurn };
        }

        if (ZephyrUser().IsMatch(jinja) && Has(jinja, "<|assistant|>"))
        {
            return ChatTemplate.Zephyr;
        }

        throw new ModelFormatException(file, $"the chat template is of no known family; it begins with '{Shortened(jinja)}'.", Fix);
    }

    // Llama 3.1 and 3.2 always write a system turn. 26 July 2024 is the date that 3.1's template falls back to; 3.2 takes today's,
    // which would make the same prompt another one tomorrow.
    private static ChatTemplate WithDates(ChatTemplate template) => template with
    {
        Name = "llama3.1",
        DefaultSystemText = "",
        SystemStart = template.SystemStart + "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n",
    };

    private static string TextOf(ModelJsonValue value)
    {
        if (value.Kind != JsonValueKind.Array)
        {
            return value.Text();
        }

        // Several templates for several uses, of which "default" is the one for chat.
        ModelJsonObject[] named = [.. value.Items().Select(item => item.Object())];
        int chosen = Array.FindIndex(named, item => item.Text("name") == "default");
        return named.Length > 0 ? named[Math.Max(chosen, 0)].Required("template").Text() : throw value.Wrong("a template or a list of at least one");
    }

    private static bool Has(string jinja, string mark) => jinja.Contains(mark, StringComparison.Ordinal);

    private static string Shortened(string jinja) => jinja.Length <= 80 ? jinja : string.Concat(jinja.AsSpan(0, 80), "…");

    // The default system text stands in one literal of the template, with the newline written out or escaped.
    [GeneratedRegex("""<\|im_start\|>system(\\n|\n)(?<text>[^'"{}<]*)<\|im_end\|>""", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ChatMlSystem();

    // Others have the same marks, but end only the assistant's turns (Tulu), or end turns by a mark (Phi-3).
    [GeneratedRegex("""<\|user\|>(\\n|\n)['"]\s*\+\s*message(\.content|\[['"]content['"]\])\s*\+\s*eos_token""", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ZephyrUser();
}
