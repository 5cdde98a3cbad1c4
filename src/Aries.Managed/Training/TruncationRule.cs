namespace Aries.Managed;

/// <summary>What happens to a sequence (prompt and response) that is longer than the limit.</summary>
public enum TruncationRule
{
    /// <summary>The end of the response is cut off. A pair or example that keeps no response token is dropped, and counted.</summary>
    KeepStart = 0,

    /// <summary>The pair or example is dropped, and counted.</summary>
    Drop = 1,
}
