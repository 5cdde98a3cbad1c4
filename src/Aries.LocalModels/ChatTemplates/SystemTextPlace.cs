namespace Aries;

/// <summary>Where a chat template puts the system's text.</summary>
public enum SystemTextPlace
{
    /// <summary>In a turn of its own.</summary>
    OwnTurn = 0,

    /// <summary>At the start of the first turn of the user.</summary>
    FirstUserTurn,

    /// <summary>At the start of the last turn of the user.</summary>
    LastUserTurn,
}
