using System.Runtime.InteropServices;
using System.Text;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>Texts as C knows them: UTF-8 that ends with a zero byte.</summary>
internal static unsafe class Utf8Text
{
    /// <summary>Refuses a text that C would end too early.</summary>
    /// <exception cref="ArgumentException">The text holds the character U+0000.</exception>
    public static void Check(string text)
    {
        int zero = text.IndexOf('\0', StringComparison.Ordinal);
        if (zero >= 0)
        {
            throw new ArgumentException($"The text holds the character U+0000 at {zero}, at which the native library would cut it. Take it out.", nameof(text));
        }
    }

    /// <summary>Returns a text's bytes with the zero byte; half a surrogate pair becomes U+FFFD.</summary>
    /// <exception cref="ArgumentException">The text holds the character U+0000.</exception>
    public static byte[] Terminated(string text)
    {
        Check(text);
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(text) + 1];
        Encoding.UTF8.GetBytes(text, bytes);
        return bytes;
    }

    /// <summary>Reads a text that the native library owns.</summary>
    public static string Read(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";
}
