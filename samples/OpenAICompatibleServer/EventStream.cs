using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace OpenAICompatibleServer;

/// <summary>Writes server-sent events, each flushed at once. The response begins with the first of them: until then a failure can still be an HTTP status.</summary>
/// <remarks><see href="https://html.spec.whatwg.org/multipage/server-sent-events.html"/>. JSON escapes line ends, so an event is one line.</remarks>
internal sealed class EventStream(HttpResponse response) : IDisposable
{
    private readonly Utf8JsonWriter _json = new(response.BodyWriter);

    public async Task WriteAsync<T>(T item, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        Begin();
        response.BodyWriter.Write("data: "u8);
        _json.Reset();
        JsonSerializer.Serialize(_json, item, type);
        response.BodyWriter.Write("\n\n"u8);
        await response.BodyWriter.FlushAsync(cancellationToken);
    }

    public async Task WriteEndAsync(CancellationToken cancellationToken)
    {
        Begin();
        response.BodyWriter.Write("data: [DONE]\n\n"u8);
        await response.BodyWriter.FlushAsync(cancellationToken);
    }

    public void Dispose() => _json.Dispose();

    private void Begin()
    {
        if (!response.HasStarted)
        {
            response.ContentType = "text/event-stream";
            response.Headers.CacheControl = "no-cache";
        }
    }
}
