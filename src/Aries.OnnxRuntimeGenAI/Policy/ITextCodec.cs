namespace Aries.OnnxRuntimeGenAI;

/// <summary>How a model's texts become ids and ids texts.</summary>
/// <threadsafety>One call at a time.</threadsafety>
internal interface ITextCodec : IPromptEncoder, IDisposable
{
    /// <summary>Gets the ids at any of which generation stops; the first one ends a response.</summary>
    IReadOnlyList<int> EndTokenIds { get; }

    /// <summary>Gets whether prompts are rendered by a chat template.</summary>
    bool UsesChatTemplate { get; }

    /// <summary>Makes a decoder of one response's tokens as they are drawn; it goes with the codec.</summary>
    ITokenTextDecoder CreateDecoder();
}
