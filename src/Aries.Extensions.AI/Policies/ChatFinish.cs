using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>Why a response ends, in both vocabularies, and what a response says beside its text.</summary>
internal static class ChatFinish
{
    // The code that the client for OpenAI's services gives a refusal.
    private const string RefusalCode = "Refusal";

    public static ChatFinishReason ToChatFinishReason(FinishReason reason) => reason switch
    {
        FinishReason.Length => ChatFinishReason.Length,
        FinishReason.ContentFilter => ChatFinishReason.ContentFilter,
        _ => ChatFinishReason.Stop,
    };

    /// <summary>Returns the reason, or null for a word that has no equal. A client that reports none is taken to have ended by itself.</summary>
    public static FinishReason? FindFinishReason(ChatFinishReason? reason) =>
        reason is not { } given || given == ChatFinishReason.Stop ? FinishReason.Stop
        : given == ChatFinishReason.Length ? FinishReason.Length
        : given == ChatFinishReason.ContentFilter ? FinishReason.ContentFilter
        : null;

    /// <summary>Returns the first error that the response carries, but for a refusal.</summary>
    public static ErrorContent? FindError(ChatResponse response) => Contents(response).OfType<ErrorContent>().FirstOrDefault(error => error.ErrorCode != RefusalCode);

    /// <summary>Tells whether the model declined to answer.</summary>
    public static bool IsRefusal(ChatResponse response) => Contents(response).Any(content => content is ErrorContent { ErrorCode: RefusalCode });

    /// <summary>Returns the first content that is neither text nor a note beside it, such as a tool call or a picture.</summary>
    public static AIContent? FindOther(ChatResponse response)
    {
        foreach (ChatMessage message in response.Messages)
        {
            foreach (AIContent content in message.Contents)
            {
                if (!ChatPrompts.IsTextOrNote(content))
                {
                    return content;
                }
            }
        }

        return null;
    }

    private static IEnumerable<AIContent> Contents(ChatResponse response) => response.Messages.SelectMany(message => message.Contents);
}
