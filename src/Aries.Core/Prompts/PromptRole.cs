namespace Aries;

/// <summary>Who speaks a turn of a <see cref="Prompt"/>.</summary>
public enum PromptRole
{
    /// <summary>Instructions that hold for the whole conversation.</summary>
    System,

    /// <summary>The person who asks.</summary>
    User,

    /// <summary>An earlier answer of the model.</summary>
    Assistant,
}
