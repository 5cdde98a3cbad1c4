using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>Turns of a prompt as chat messages, and back.</summary>
internal static class ChatPrompts
{
    public static List<ChatMessage> ToMessages(Prompt prompt)
    {
        List<ChatMessage> messages = new(prompt.Count);
        for (int index = 0; index < prompt.Count; index++)
        {
            messages.Add(ToMessage(prompt[index]));
        }

        return messages;
    }

    public static ChatMessage ToMessage(PromptTurn turn) => new(ToChatRole(turn.Role), turn.Text);

    /// <summary>Makes a prompt of messages that hold nothing but text.</summary>
    /// <exception cref="ArgumentException">There is no message, one is null, or the last is not the user's.</exception>
    /// <exception cref="NotSupportedException">A message has a role or a content that a prompt has no place for.</exception>
    public static Prompt ToPrompt(IEnumerable<ChatMessage> messages, string? instructions)
    {
        List<PromptTurn> turns = [];
        if (!string.IsNullOrEmpty(instructions))
        {
            turns.Add(new PromptTurn(PromptRole.System, instructions));
        }

        foreach (ChatMessage message in messages)
        {
            ArgumentNullException.ThrowIfNull(message, nameof(messages));
            PromptRole role = FindRole(message.Role)
                ?? throw new NotSupportedException($"A message has the role \"{message.Role}\"; a policy model answers turns of the system, the user and the assistant only.");
            foreach (AIContent content in message.Contents)
            {
                if (!IsTextOrNote(content))
                {
                    throw new NotSupportedException($"A message of the {message.Role} holds {content.GetType().Name}; a policy model reads text only.");
                }
            }

            turns.Add(new PromptTurn(role, message.Text));
        }

        return turns is [.., { Role: PromptRole.User }]
            ? new Prompt(turns)
            : throw new ArgumentException(
                $"A conversation to answer ends with a message of the user, but this one {(turns.Count == 0 ? "is empty" : $"ends with the {turns[^1].Role}")}.", nameof(messages));
    }

    /// <summary>Returns the role of a turn, or null where a prompt has none like it.</summary>
    public static PromptRole? FindRole(ChatRole role) =>
        role == ChatRole.User ? PromptRole.User
        : role == ChatRole.System ? PromptRole.System
        : role == ChatRole.Assistant ? PromptRole.Assistant
        : null;

    /// <summary>Tells whether a content is text, or something beside the text that is no part of the conversation.</summary>
    public static bool IsTextOrNote(AIContent content) => content is TextContent or TextReasoningContent or UsageContent or ErrorContent or RefinementDraftContent;

    private static ChatRole ToChatRole(PromptRole role) => role switch
    {
        PromptRole.System => ChatRole.System,
        PromptRole.Assistant => ChatRole.Assistant,
        _ => ChatRole.User,
    };
}
