namespace Aries.Extensions.AI;

/// <summary>A chat client gave a response that is no answer in text: an error of its service, a tool call that nobody offered, an end that is not known, or an end that is missing.</summary>
public sealed class ChatServiceException : AriesException
{
    internal ChatServiceException(string message, string? code = null)
        : base(message)
    {
        Code = code;
    }

    /// <summary>Gets the service's code of the error, or the finish reason that is not known; null where there is none.</summary>
    public string? Code { get; }
}
