using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Aries;

/// <summary>Writes JSONL: the same object always gives the same bytes.</summary>
internal static class JsonlWriter
{
    // Relaxed: the files are read by programs and people, never pasted into HTML, and texts in other scripts stay readable.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = false };

    public static void WriteLine<T>(IBufferWriter<byte> output, T item, Action<Utf8JsonWriter, T> write)
    {
        using (Utf8JsonWriter writer = new(output, Options))
        {
            write(writer, item);
        }

        Span<byte> end = output.GetSpan(1);
        end[0] = (byte)'\n';
        output.Advance(1);
    }

    /// <summary>Writes all items to a file that appears whole or not at all.</summary>
    public static async Task WriteFileAsync<T>(
        string path, IAsyncEnumerable<T> items, Action<Utf8JsonWriter, T> write, CancellationToken cancellationToken)
    {
        string aside = path + ".partial";
        try
        {
            FileStream stream = new(aside, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Options = FileOptions.Asynchronous });
            await using (stream.ConfigureAwait(false))
            {
                await WriteAsync(stream, items, write, cancellationToken).ConfigureAwait(false);
                stream.Flush(flushToDisk: true);
            }

            File.Move(aside, path, overwrite: true);
        }
        catch
        {
            File.Delete(aside);
            throw;
        }
    }

    public static async Task WriteAsync<T>(
        Stream stream, IAsyncEnumerable<T> items, Action<Utf8JsonWriter, T> write, CancellationToken cancellationToken)
    {
        ArrayBufferWriter<byte> line = new();
        await foreach (T item in items.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            line.ResetWrittenCount();
            WriteLine(line, item, write);
            await stream.WriteAsync(line.WrittenMemory, cancellationToken).ConfigureAwait(false);
        }

        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
