using System.Text;

namespace Aries;

/// <summary>Decodes ids as they are drawn, and gives text only when its characters are whole.</summary>
/// <remarks>The pieces together equal what <see cref="ITextTokenizer.Decode"/> makes of all ids at once.</remarks>
/// <threadsafety>For one sequence, and one thread at a time.</threadsafety>
internal sealed class TokenStreamDecoder(ITextTokenizer tokenizer, bool isContinuation = true) : ITokenTextDecoder
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private char[] _characters = new char[16];
    private bool _stripsSpace = tokenizer.HasLeadingSpace && !isContinuation;

    /// <inheritdoc />
    public ReadOnlySpan<char> Append(int id) => Decode(tokenizer.Bytes(id), flush: false);

    /// <inheritdoc />
    public ReadOnlySpan<char> Flush() => Decode([], flush: true);

    private ReadOnlySpan<char> Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        if (_stripsSpace && bytes.Length > 0)
        {
            _stripsSpace = false;
            bytes = bytes[0] == (byte)' ' ? bytes[1..] : bytes;
        }

        int needed = _decoder.GetCharCount(bytes, flush);
        if (_characters.Length < needed)
        {
            _characters = new char[2 * needed];
        }

        return _characters.AsSpan(0, _decoder.GetChars(bytes, _characters, flush));
    }
}
