using System.Text;

namespace Aries;

/// <summary>Decodes ids as they are drawn, and gives text only when its characters are whole.</summary>
/// <remarks>The pieces together equal what <see cref="ITextTokenizer.Decode"/> makes of all ids at once.</remarks>
/// <threadsafety>For one sequence, and one thread at a time.</threadsafety>
internal sealed class TokenStreamDecoder(ITextTokenizer tokenizer, bool isContinuation = true)
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private bool _stripsSpace = tokenizer.HasLeadingSpace && !isContinuation;

    /// <summary>Takes in an id.</summary>
    /// <returns>The characters that it completed; often empty.</returns>
    public string Append(int id) => Decode(tokenizer.Bytes(id), flush: false);

    /// <summary>Ends the sequence.</summary>
    /// <returns>U+FFFD for bytes that were left waiting for the rest of their character, else nothing.</returns>
    public string Flush() => Decode([], flush: true);

    private string Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        if (_stripsSpace && bytes.Length > 0)
        {
            _stripsSpace = false;
            bytes = bytes[0] == (byte)' ' ? bytes[1..] : bytes;
        }

        char[] characters = new char[_decoder.GetCharCount(bytes, flush)];
        int count = _decoder.GetChars(bytes, characters, flush);
        return new string(characters, 0, count);
    }
}
