namespace Aries.LocalModels.Tests;

/// <summary>Expected texts follow the Jinja templates that the models' folders hold, with the generation prompt at the end.</summary>
public class ChatTemplateTests
{
    private static readonly Prompt Conversation = new(
    [
        new PromptTurn(PromptRole.System, "Be brief."),
        new PromptTurn(PromptRole.User, "Hi "),
        new PromptTurn(PromptRole.Assistant, "Hello!"),
        new PromptTurn(PromptRole.User, "Why?"),
    ]);

    public static TheoryData<string, string> Renderings => new()
    {
        { "plain", "Be brief.Hi Hello!Why?" },
        {
            "chatml",
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi <|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
        },
        {
            "llama3",
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
            + "<|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
        },
        { "llama2", "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Hello! </s><s>[INST] Why? [/INST]" },
        { "mistral", "<s>[INST] Be brief.\n\nHi  [/INST] Hello!</s>[INST] Why? [/INST]" },
        { "zephyr", "<|system|>\nBe brief.</s>\n<|user|>\nHi </s>\n<|assistant|>\nHello!</s>\n<|user|>\nWhy?</s>\n<|assistant|>\n" },
    };

    [Theory]
    [MemberData(nameof(Renderings))]
    public void Render_Conversation_FollowsItsFamily(string name, string expected)
    {
        Assert.Equal(expected, Text(Named(name).Render(Conversation)));
    }

    [Fact]
    public void Render_OneQuestion_HasNoSystemTurn()
    {
        Assert.Equal("Why?", Text(ChatTemplate.Plain.Render("Why?")));
        Assert.Equal("<s>[INST] Why? [/INST]", Text(ChatTemplate.Llama2.Render("Why?")));
        Assert.Equal("<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n", Text(ChatTemplate.ChatMl.Render("Why?")));
    }

    [Fact]
    public void Render_TurnsOfUserAndModel_AreNeverTrusted()
    {
        Assert.All(
            ChatTemplate.Llama3.Render(Conversation),
            segment => Assert.Equal(segment.Text is not ("Be brief." or "Hi" or "Hello!" or "Why?"), segment.IsTrusted));
    }

    [Fact]
    public void Render_DefaultSystemText_IsWrittenOnlyWhereThereIsNone()
    {
        ChatTemplate template = ChatTemplate.ChatMl with { DefaultSystemText = "Default." };

        Assert.StartsWith("<|im_start|>system\nDefault.<|im_end|>\n<|im_start|>user\n", Text(template.Render("Why?")), StringComparison.Ordinal);
        Assert.StartsWith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n", Text(template.Render(Conversation)), StringComparison.Ordinal);
    }

    [Fact]
    public void Render_SystemTextInLastTurn_StandsThere()
    {
        ChatTemplate template = ChatTemplate.Mistral with { SystemPlace = SystemTextPlace.LastUserTurn, UserEnd = "[/INST]" };

        Assert.Equal("<s>[INST] Hi [/INST] Hello!</s>[INST] Be brief.\n\nWhy?[/INST]", Text(template.Render(Conversation)));
    }

    [Fact]
    public void RenderResponse_Lead_ComesOnce()
    {
        Assert.Equal(" Hello", Text(ChatTemplate.Mistral.RenderResponse("Hello")));
        Assert.Equal(" Hello", Text(ChatTemplate.Mistral.RenderResponse(" Hello")));
        Assert.Equal(" Hello", Text(ChatTemplate.Llama2.RenderResponse(" Hello \n")));
        Assert.Equal(" Hello ", Text(ChatTemplate.Plain.RenderResponse(" Hello ")));
    }

    internal static ChatTemplate Named(string name) =>
        new[] { ChatTemplate.Plain, ChatTemplate.ChatMl, ChatTemplate.Llama3, ChatTemplate.Llama2, ChatTemplate.Mistral, ChatTemplate.Zephyr }.Single(template => template.Name == name);

    private static string Text(IEnumerable<TextSegment> segments) => string.Concat(segments.Select(segment => segment.Text));
}
