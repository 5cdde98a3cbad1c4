using System.Runtime.InteropServices;
using System.Text;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>Decodes the tokens of one response by the native tokenizer.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed unsafe class OgaTextDecoder(OgaApi api, OgaHandle stream, bool stripsSpace) : ITokenTextDecoder, IDisposable
{
    private char[] _characters = new char[16];
    private bool _stripsSpace = stripsSpace;

    /// <inheritdoc />
    public ReadOnlySpan<char> Append(int id)
    {
        // The stream owns the text until its next call.
        byte* text;
        api.Check(api.TokenizerStreamDecode(stream.Pointer, id, &text));
        ReadOnlySpan<byte> bytes = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text);
        if (_stripsSpace && bytes.Length > 0)
        {
            _stripsSpace = false;
            bytes = bytes[0] == (byte)' ' ? bytes[1..] : bytes;
        }

        int needed = Encoding.UTF8.GetCharCount(bytes);
        if (_characters.Length < needed)
        {
            _characters = new char[2 * needed];
        }

        return _characters.AsSpan(0, Encoding.UTF8.GetChars(bytes, _characters));
    }

    /// <inheritdoc />
    /// <remarks>The native stream keeps the bytes of half a character to itself: a response that is cut inside one ends before it.</remarks>
    public ReadOnlySpan<char> Flush() => [];

    public void Dispose() => stream.Dispose();
}
