namespace Aries;

/// <summary>Decodes the ids of one sequence as they are drawn, and gives text only when its characters are whole.</summary>
/// <threadsafety>For one sequence, and one thread at a time.</threadsafety>
internal interface ITokenTextDecoder
{
    /// <summary>Takes in an id.</summary>
    /// <returns>The characters that it completed, valid until the next call; often none.</returns>
    ReadOnlySpan<char> Append(int id);

    /// <summary>Ends the sequence.</summary>
    /// <returns>U+FFFD for bytes that were left waiting for the rest of their character, else nothing.</returns>
    ReadOnlySpan<char> Flush();
}
