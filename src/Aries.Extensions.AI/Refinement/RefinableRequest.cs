using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>A conversation that can be refined: its turns as a prompt, with the messages that they are of.</summary>
internal sealed class RefinableRequest
{
    private readonly IReadOnlyList<ChatMessage> _messages;

    private RefinableRequest(IReadOnlyList<ChatMessage> messages, Prompt prompt) => (_messages, Prompt) = (messages, prompt);

    public Prompt Prompt { get; }

    /// <summary>Returns the request, or null for one that is to be left alone.</summary>
    /// <remarks>
    /// Left alone are: tools or an answer in JSON, which a rewrite would break; a conversation that the service keeps, which a rewrite would become a part of; an answer in the background, of which no draft is
    /// there when its call ends; a history with tool calls; and a conversation that does not end with words of the user.
    /// </remarks>
    public static RefinableRequest? Find(IReadOnlyList<ChatMessage> messages, ChatOptions? options)
    {
#pragma warning disable MEAI001 // Answers in the background are experimental; a request for one is recognised, and no more.
        if (options is { Tools.Count: > 0 } or { ResponseFormat: not (null or ChatResponseFormatText) } or { ConversationId: not null }
            or { AllowBackgroundResponses: true } or { ContinuationToken: not null })
        {
            return null;
        }
#pragma warning restore MEAI001

        PromptTurn[] turns = new PromptTurn[messages.Count];
        for (int index = 0; index < turns.Length; index++)
        {
            if (messages[index] is not { } message || ChatPrompts.FindRole(message.Role) is not { } role || HoldsTools(message))
            {
                return null;
            }

            turns[index] = new PromptTurn(role, message.Text);
        }

        return turns is [.., { Role: PromptRole.User, Text: { } question }] && !string.IsNullOrWhiteSpace(question) ? new RefinableRequest(messages, new Prompt(turns)) : null;
    }

    /// <summary>Returns the messages of a prompt that a strategy made. Turns that it left as they were are the caller's own messages; a new question keeps the pictures of the old one.</summary>
    public IReadOnlyList<ChatMessage> ToMessages(Prompt prompt)
    {
        if (prompt == Prompt)
        {
            return _messages;
        }

        List<ChatMessage> messages = new(prompt.Count);
        for (int index = 0; index < prompt.Count; index++)
        {
            PromptTurn turn = prompt[index];
            messages.Add(index < _messages.Count && turn == Prompt[index] ? _messages[index]
                : index == prompt.Count - 1 && turn.Role == PromptRole.User ? Rewrite(_messages[^1], turn.Text)
                : ChatPrompts.ToMessage(turn));
        }

        return messages;
    }

    private static ChatMessage Rewrite(ChatMessage message, string text) =>
        new(message.Role, [new TextContent(text), .. message.Contents.Where(content => content is not TextContent)]) { AuthorName = message.AuthorName };

    private static bool HoldsTools(ChatMessage message)
    {
        for (int index = 0; index < message.Contents.Count; index++)
        {
            if (!ChatPrompts.IsTextOrNote(message.Contents[index]) && message.Contents[index] is not (DataContent or UriContent))
            {
                return true;
            }
        }

        return false;
    }
}
