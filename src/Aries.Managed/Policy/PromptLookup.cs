namespace Aries.Managed;

/// <summary>Which responses are decoded by prompt lookup, which guesses that a text is repeated and checks several guessed tokens in one pass.</summary>
public enum PromptLookup
{
    /// <summary>None: a token a pass.</summary>
    Off,

    /// <summary>Those whose request carries a <see cref="GenerationRequest.Prediction"/>: every answer of a chain after its first.</summary>
    Predicted,

    /// <summary>All, for prompts that are to be quoted, summarised or edited.</summary>
    Always,
}
