namespace Aries;

/// <summary>How pairs are written, by the names of TRL's dataset formats.</summary>
public enum PreferenceJsonlForm
{
    /// <summary>Standard: <c>prompt</c>, <c>chosen</c> and <c>rejected</c> are texts, which a trainer joins as they are.</summary>
    Plain,

    /// <summary>Conversational: <c>prompt</c> is a list of turns <c>{"role", "content"}</c>, <c>chosen</c> and <c>rejected</c> are lists of one assistant turn, which a trainer renders with the model's chat template.</summary>
    Chat,
}
