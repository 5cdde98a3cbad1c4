namespace Aries;

/// <summary>One step of a streamed response.</summary>
/// <threadsafety>Immutable.</threadsafety>
public sealed record ResponseUpdate
{
    /// <summary>Gets the text that came since the last update; may be empty. The texts of all updates joined are the response's text.</summary>
    public required string Text { get; init; }

    /// <summary>Gets the whole response in the last update, null in all others.</summary>
    public Response? Response { get; init; }
}
