using System.Text;

namespace Aries;

/// <summary>A field of a protobuf message: a number, or bytes that are a text or a message of their own.</summary>
internal sealed record ProtobufField(ProtobufFile File, ulong Number, ulong Value, long Start, long End)
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Walks those fields of the message that have a number.</summary>
    /// <exception cref="ModelFormatException">The field is no message.</exception>
    public IEnumerable<ProtobufField> Fields(ulong number) => File.Fields(Start, End).Where(field => field.Number == number);

    /// <summary>Reads the text.</summary>
    /// <exception cref="ModelFormatException">The field is no text.</exception>
    public string Text()
    {
        try
        {
            return Strict.GetString(File.Read(Start, End));
        }
        catch (ArgumentException exception)
        {
            throw File.Damaged($"a text that is not valid UTF-8 ({exception.Message})");
        }
    }
}
