using System.Runtime.InteropServices;
using System.Text;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>Texts as C knows them: UTF-8 that ends with a zero byte.</summary>
internal static unsafe class Utf8Text
{
    /// <summary>Returns a text's bytes with the zero byte.</summary>
    /// <exception cref="ArgumentException">The text holds the zero character, at which C would end it, or half a surrogate pair.</exception>
    public static byte[] Terminated(string text)
    {
        int zero = text.IndexOf('\0', StringComparison.Ordinal);
        if (zero >= 0)
        {
            throw new ArgumentException($"The text holds the character U+0000 at {zero}, at which the native library would cut it. Take it out.", nameof(text));
        }

        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(text) + 1];
        Encoding.UTF8.GetBytes(text, bytes);
        return bytes;
    }

    /// <summary>Reads a text that the native library owns.</summary>
    public static string Read(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";
}
