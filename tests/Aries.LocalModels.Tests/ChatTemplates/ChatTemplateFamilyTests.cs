namespace Aries.LocalModels.Tests;

/// <summary>Templates that have the marks of a known family and yet are not of it: taken for one, their models would answer what they never learned to read.</summary>
public class ChatTemplateFamilyTests
{
    [Theory]
    [InlineData("phi-4", "{{'<|im_start|>user<|im_sep|>' + message['content'] + '<|im_end|><|im_start|>assistant<|im_sep|>'}}")]
    [InlineData("mistral-nemo", """{{- "[INST]" + message["content"] + "[/INST]" }}{{- message["content"] + eos_token}}""")]
    [InlineData("tulu", "{{ '<|user|>\n' + message['content'] }}{{ '<|assistant|>\n' + message['content'] + eos_token }}")]
    [InlineData("phi-3", "{{ '<|user|>\n' + message['content'] + '<|end|>\n<|assistant|>\n' }}{{ eos_token }}")]
    public void Recognize_MarksOfAFamilyInAnotherForm_IsRefused(string name, string jinja)
    {
        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => ChatTemplateReader.Recognize(jinja, name));

        Assert.Contains("no known family", exception.Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{ '<|user|>\n' + message['content'] + eos_token }}{{ '<|assistant|>' }}")]
    [InlineData("""{{ "<|user|>\n"+message.content + eos_token }}{{ "<|assistant|>" }}""")]
    public void Recognize_ZephyrHoweverItIsSpelled_IsZephyr(string jinja) => Assert.Equal("zephyr", ChatTemplateReader.Recognize(jinja, "f").Name);
}
