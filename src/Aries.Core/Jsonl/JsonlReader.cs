using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Aries;

/// <summary>Reads JSONL: UTF-8, one JSON object a line, lines split on \n only (texts may hold U+2028 and the like).</summary>
/// <remarks>A byte order mark at the start, lines of white space and a missing last \n are accepted. Memory holds one line at a time.</remarks>
internal static class JsonlReader
{
    /// <summary>The most bytes of a line: a file without line ends is not JSONL, and must not be read into memory whole.</summary>
    internal const int MaxLineLength = 64 * 1024 * 1024;

    private const int InitialBufferSize = 16 * 1024;

    private static readonly JsonDocumentOptions DocumentOptions = new() { AllowDuplicateProperties = false };

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    public static async IAsyncEnumerable<T> ReadFileAsync<T>(
        string path, Func<JsonlObject, T> parse, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        FileStream stream = new(path, new FileStreamOptions { Options = FileOptions.Asynchronous | FileOptions.SequentialScan, BufferSize = 0 });
        await using (stream.ConfigureAwait(false))
        {
            await foreach (T item in ReadAsync(stream, path, parse, cancellationToken).ConfigureAwait(false))
            {
                yield return item;
            }
        }
    }

    public static async IAsyncEnumerable<T> ReadAsync<T>(
        Stream stream, string source, Func<JsonlObject, T> parse, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[InitialBufferSize];
        int start = 0, end = 0, searched = 0;
        long lineNumber = 0;
        bool ended = false;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int newline = buffer.AsSpan(searched, end - searched).IndexOf((byte)'\n');
            if (newline < 0 && !ended)
            {
                searched = end;
                if (end - start > MaxLineLength)
                {
                    throw new JsonlFormatException(source, lineNumber + 1, $"The line is longer than {MaxLineLength} bytes.");
                }

                MakeRoom(ref buffer, ref start, ref end, ref searched);
                int read = await stream.ReadAsync(buffer.AsMemory(end), cancellationToken).ConfigureAwait(false);
                end += read;
                ended = read == 0;
                continue;
            }

            int lineEnd = newline < 0 ? end : searched + newline;
            lineNumber++;
            ReadOnlyMemory<byte> line = buffer.AsMemory(start, lineEnd - start);
            if (lineNumber == 1 && line.Span.StartsWith(ByteOrderMark))
            {
                line = line[ByteOrderMark.Length..];
            }

            if (!IsBlank(line.Span))
            {
                yield return Parse(line, source, lineNumber, parse);
            }

            if (newline < 0)
            {
                yield break;
            }

            start = searched = lineEnd + 1;
        }
    }

    /// <summary>Parses one line.</summary>
    public static T Parse<T>(ReadOnlyMemory<byte> line, string source, long lineNumber, Func<JsonlObject, T> parse)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line, DocumentOptions);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new JsonlFormatException(source, lineNumber, $"The line holds a JSON {document.RootElement.ValueKind}, but an object is needed.");
            }

            return parse(new JsonlObject(document.RootElement, source, lineNumber));
        }
        catch (JsonException exception)
        {
            throw new JsonlFormatException(source, lineNumber, $"The line is not valid JSON: {exception.Message}", exception);
        }
        catch (InvalidOperationException exception)
        {
            // JsonElement reports bytes that are no UTF-8 and escapes of lone surrogates in this way.
            throw new JsonlFormatException(source, lineNumber, $"The line holds text that is not valid Unicode: {exception.Message}", exception);
        }
    }

    private static void MakeRoom(ref byte[] buffer, ref int start, ref int end, ref int searched)
    {
        if (end < buffer.Length)
        {
            return;
        }

        byte[] target = start > buffer.Length / 2 ? buffer : new byte[buffer.Length * 2];
        buffer.AsSpan(start, end - start).CopyTo(target);
        (buffer, end, searched, start) = (target, end - start, searched - start, 0);
    }

    private static bool IsBlank(ReadOnlySpan<byte> line) => line.IndexOfAnyExcept(" \t\r"u8) < 0;
}
