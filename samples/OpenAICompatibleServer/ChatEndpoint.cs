using Aries;

namespace OpenAICompatibleServer;

/// <summary>Answers <c>POST /v1/chat/completions</c>, whole or as a stream.</summary>
internal sealed class ChatEndpoint(ServedModels models, TimeProvider time, ILogger<ChatEndpoint> logger)
{
    public async Task AnswerAsync(HttpContext context, CancellationToken stopping)
    {
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        using EventStream events = new(context.Response);
        try
        {
            ChatCall call = await ChatCall.ReadAsync(context.Request.Body, models.DefaultMaxTokens, either.Token);
            Head head = new($"chatcmpl-{Guid.NewGuid():N}", time.GetUtcNow().ToUnixTimeSeconds(), call.Model);
            if (call.Streams)
            {
                await StreamAsync(events, head, call, either.Token);
            }
            else
            {
                IReadOnlyList<Response> responses = await models.AnswerAsync(call, either.Token);
                await context.Response.WriteAsJsonAsync(head.Whole(responses), ProtocolJson.Default.ChatCompletion, cancellationToken: either.Token);
            }
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody is there to be told; the generation has ended with the token.
        }
        catch (Exception exception)
        {
            ApiException api = stopping.IsCancellationRequested ? ApiException.Stopping() : ApiException.Of(exception);
            if (api.Status >= StatusCodes.Status500InternalServerError && !stopping.IsCancellationRequested)
            {
                ServerLog.AnswerFailed(logger, exception);
            }

            // A stream that has begun cannot change its status: its last event says what happened, and [DONE] does not follow.
            await (context.Response.HasStarted ? events.WriteAsync(api.Body, ProtocolJson.Default.ErrorBody, context.RequestAborted) : api.WriteAsync(context));
        }
    }

    private async Task StreamAsync(EventStream events, Head head, ChatCall call, CancellationToken cancellationToken)
    {
        TokenUsage usage = default;
        for (int choice = 0; choice < call.ChoiceCount; choice++)
        {
            bool hasBegun = false;
            await foreach (ResponseUpdate update in models.StreamAsync(call, choice, cancellationToken))
            {
                Response? end = update.Response is { } response ? ServedModels.Whole(response) : null;
                if (!hasBegun)
                {
                    hasBegun = true;
                    await WriteAsync(new ChatText("assistant", ""), null);
                }

                if (update.Text.Length > 0)
                {
                    await WriteAsync(new ChatText(null, update.Text), null);
                }

                if (end is not null)
                {
                    usage += end.Usage;
                    await WriteAsync(new ChatText(null, null), Name(end.FinishReason));
                }
            }

            Task WriteAsync(ChatText delta, string? finishReason) =>
                events.WriteAsync(head.Chunk(new ChunkChoice(choice, delta, finishReason)), ProtocolJson.Default.ChatChunk, cancellationToken);
        }

        if (call.IncludesUsage)
        {
            await events.WriteAsync(head.Chunk() with { Usage = ChatUsage.Of(usage) }, ProtocolJson.Default.ChatChunk, cancellationToken);
        }

        await events.WriteEndAsync(cancellationToken);
    }

    private static string Name(FinishReason reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        _ => "content_filter",
    };

    /// <summary>What all parts of one answer begin with.</summary>
    private sealed record Head(string Id, long Created, string Model)
    {
        public ChatCompletion Whole(IReadOnlyList<Response> responses) => new(
            Id,
            "chat.completion",
            Created,
            Model,
            [.. responses.Select((response, choice) => new ChatChoice(choice, new ChatText("assistant", response.Text), Name(response.FinishReason)))],
            ChatUsage.Of(responses.Aggregate(default(TokenUsage), (sum, response) => sum + response.Usage)));

        public ChatChunk Chunk(params ChunkChoice[] choices) => new(Id, "chat.completion.chunk", Created, Model, choices);
    }
}

internal static partial class ServerLog
{
    [LoggerMessage(Level = LogLevel.Error, Message = "An answer failed.")]
    public static partial void AnswerFailed(ILogger logger, Exception exception);
}
