namespace Aries;

/// <summary>Why a response ends.</summary>
public enum FinishReason
{
    /// <summary>The model ended it, or a stop sequence came up.</summary>
    Stop,

    /// <summary>The token limit or the context's end cut it.</summary>
    Length,

    /// <summary>A filter of the backend withheld the rest.</summary>
    ContentFilter,

    /// <summary>This request failed while others of its batch did not; <see cref="Response.Error"/> says why.</summary>
    Error,
}
