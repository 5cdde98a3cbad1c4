using System.Text.Json.Nodes;
using Aries.TestKit;

namespace Aries.LocalModels.Tests;

public class ChatTemplateReaderTests
{
    private const string ChatMlJinja =
        "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named Small.<|im_end|>\n' }}{% endif %}"
        + "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    private static readonly BytePairTokenizer Tokenizer = SmallTokenizer.Make(
        SmallTokenizer.Llama3Steps,
        special: ["<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<s>", "</s>"]);

    [Theory]
    [InlineData(ChatMlJinja, "chatml")]
    [InlineData("{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}", "llama3")]
    [InlineData("<|start_header_id|> Cutting Knowledge Date: December 2023 <|eot_id|>", "llama3.1")]
    [InlineData("{{ bos_token + '[INST] ' + '<<SYS>>\\n' + content.strip() + ' [/INST]' }}", "llama2")]
    [InlineData("{{ bos_token }}{{ '[INST] ' + message['content'] + ' [/INST]' }}{{ message['content'] + eos_token}}", "mistral")]
    [InlineData("{{ '<|user|>\n' + message['content'] + eos_token }}{{ '<|assistant|>\n' }}", "zephyr")]
    public void Recognize_KnownFamily_NamesIt(string jinja, string name)
    {
        Assert.Equal(name, ChatTemplateReader.Recognize(jinja, "f").Name);
    }

    [Theory]
    [InlineData(ChatMlJinja, "You are a helpful AI assistant named Small.")]
    [InlineData("{{- '<|im_start|>system\\nYou are Q, made by A.<|im_end|>\\n' }}{{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}", "You are Q, made by A.")]
    [InlineData("{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}", null)]
    public void Recognize_ChatMl_FindsDefaultSystemText(string jinja, string? expected)
    {
        Assert.Equal(expected, ChatTemplateReader.Recognize(jinja, "f").DefaultSystemText);
    }

    [Fact]
    public void Recognize_MarkWithoutSpace_IsTheThirdMistral()
    {
        ChatTemplate template = ChatTemplateReader.Recognize("{{ '[INST] ' + message['content'] + '[/INST]' }}", "f");

        Assert.Equal("[/INST]", template.UserEnd);
        Assert.Equal(SystemTextPlace.LastUserTurn, template.SystemPlace);
    }

    [Theory]
    [InlineData("{{ '<start_of_turn>user' }}")]
    [InlineData("{{ '<|user|>' + content + '<|end|>' + '<|assistant|>' }}{{ eos_token }}")]
    [InlineData("")]
    public void Recognize_UnknownFamily_ThrowsAndSaysHowToSupplyOne(string jinja)
    {
        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => ChatTemplateReader.Recognize(jinja, "f"));

        Assert.Contains("ChatTemplate", exception.Fix, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_EachPlace_IsFound()
    {
        using TempFolder folder = new();
        Assert.Equal("plain", ChatTemplateReader.Read(folder.Path, Tokenizer).Name);

        Write(folder, new JsonObject { ["chat_template"] = ChatMlJinja });
        Assert.Equal("chatml", ChatTemplateReader.Read(folder.Path, Tokenizer).Name);

        Write(folder, new JsonObject
        {
            ["chat_template"] = new JsonArray(
                new JsonObject { ["name"] = "tool_use", ["template"] = "{{ unknown }}" }, new JsonObject { ["name"] = "default", ["template"] = ChatMlJinja }),
        });
        Assert.Equal("chatml", ChatTemplateReader.Read(folder.Path, Tokenizer).Name);

        File.WriteAllText(folder.At("chat_template.jinja"), "{{ '<|start_header_id|><|eot_id|>' }}");
        Assert.Equal("llama3", ChatTemplateReader.Read(folder.Path, Tokenizer).Name);
    }

    [Fact]
    public void Read_TokenizerWithoutItsTokens_ThrowsAndNamesToken()
    {
        using TempFolder folder = new();
        Write(folder, new JsonObject { ["chat_template"] = ChatMlJinja });

        ModelFormatException exception = Assert.Throws<ModelFormatException>(
            () => ChatTemplateReader.Read(folder.Path, SmallTokenizer.Make(SmallTokenizer.Gpt2Steps, special: ["<|im_start|>"])));

        Assert.Contains("<|im_end|>", exception.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_DamagedConfig_ThrowsOnlyItsOwnException()
    {
        using TempFolder folder = new();
        string path = folder.At("tokenizer_config.json");
        byte[] valid = System.Text.Encoding.UTF8.GetBytes(new JsonObject { ["chat_template"] = new JsonArray(new JsonObject { ["name"] = "default", ["template"] = ChatMlJinja }) }.ToJsonString());

        int refused = Fuzz.Run<ModelFormatException>(
            valid,
            input =>
            {
                File.WriteAllBytes(path, input);
                ChatTemplateReader.Read(folder.Path, Tokenizer);
            },
            count: 2000,
            allocationLimit: 200_000);

        Assert.True(refused > 200, $"Only {refused} inputs were refused.");
    }

    private static void Write(TempFolder folder, JsonObject json) => File.WriteAllText(folder.At("tokenizer_config.json"), json.ToJsonString());
}
