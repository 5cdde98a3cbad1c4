using System.Text.Json;
using Aries;

namespace OpenAICompatibleServer;

/// <summary>What one request asks for, checked: a prompt, options, and how many answers of which kind. What cannot be honoured is an error, never left out.</summary>
internal sealed record ChatCall
{
    private const int MaxChoiceCount = 16;
    private const int MaxStopCount = 4;

    public required string Model { get; init; }

    public required Prompt Prompt { get; init; }

    public required SamplingOptions Sampling { get; init; }

    public required int ChoiceCount { get; init; }

    public required bool Streams { get; init; }

    public required bool IncludesUsage { get; init; }

    /// <summary>Reads a request's body.</summary>
    /// <param name="body">The JSON.</param>
    /// <param name="defaultMaxTokens">The limit of a request that names none.</param>
    /// <param name="cancellationToken">The request's.</param>
    /// <exception cref="ApiException">It is not what the server takes.</exception>
    public static async Task<ChatCall> ReadAsync(Stream body, int defaultMaxTokens, CancellationToken cancellationToken)
    {
        try
        {
            ChatRequest request = await JsonSerializer.DeserializeAsync(body, ProtocolJson.Default.ChatRequest, cancellationToken)
                ?? throw ApiException.Invalid("The body is null; it must be an object.", null);
            return Check(request, defaultMaxTokens);
        }
        catch (JsonException exception)
        {
            throw ApiException.Invalid($"The body is not a request in JSON: {exception.Message}", exception.Path is { Length: > 2 } path ? path[2..] : null, "invalid_json", exception);
        }
        catch (InvalidOperationException exception)
        {
            // How JsonElement tells of a lone surrogate, found when a text is read.
            throw ApiException.Invalid("A text of the body is not valid Unicode.", null, "invalid_json", exception);
        }
    }

    private static ChatCall Check(ChatRequest request, int defaultMaxTokens)
    {
        RefuseOthers(request.Others, "");
        RefuseOthers(request.StreamOptions?.Others, "stream_options.");
        if (request.StreamOptions is not null && request.Stream != true)
        {
            throw ApiException.Invalid("'stream_options' is for streams: set 'stream' to true, or leave it out.", "stream_options");
        }

        if (request.N is < 1 or > MaxChoiceCount)
        {
            throw ApiException.Invalid($"'n' is {request.N}, but must be from 1 to {MaxChoiceCount}.", "n");
        }

        return new ChatCall
        {
            Model = request.Model is { Length: > 0 } model ? model : throw ApiException.Invalid("'model' is missing.", "model"),
            Prompt = ReadPrompt(request.Messages),
            Sampling = ReadSampling(request, defaultMaxTokens),
            ChoiceCount = request.N ?? 1,
            Streams = request.Stream == true,
            IncludesUsage = request.StreamOptions?.IncludeUsage == true,
        };
    }

    private static Prompt ReadPrompt(IReadOnlyList<ChatMessage?>? messages)
    {
        if (messages is null or { Count: 0 })
        {
            throw ApiException.Invalid("'messages' is empty; it must end with a message of the user.", "messages");
        }

        PromptTurn[] turns = [.. messages.Select(ReadTurn)];
        return turns[^1].Role == PromptRole.User
            ? new Prompt(turns)
            : throw ApiException.Invalid("The last message must be the user's.", $"messages[{turns.Length - 1}].role");
    }

    private static PromptTurn ReadTurn(ChatMessage? message, int index)
    {
        string path = $"messages[{index}].";
        RefuseOthers(message?.Others, path);
        PromptRole role = message?.Role switch
        {
            // OpenAI's newer name for the same role.
            "system" or "developer" => PromptRole.System,
            "user" => PromptRole.User,
            "assistant" => PromptRole.Assistant,
            _ => throw ApiException.Invalid($"The role '{message?.Role}' is not known here: system, developer, user and assistant are.", path + "role", "invalid_value"),
        };
        return new PromptTurn(role, message.Content switch
        {
            { ValueKind: JsonValueKind.String } text => text.GetString()!,
            { ValueKind: JsonValueKind.Array } parts => string.Concat(parts.EnumerateArray().Select(part => ReadPart(part, path))),
            _ => throw ApiException.Invalid("The content must be a text, or a list of parts of the type 'text'.", path + "content"),
        });
    }

    private static string ReadPart(JsonElement part, string path) =>
        part.ValueKind == JsonValueKind.Object
        && part.TryGetProperty("type", out JsonElement type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("text")
        && part.TryGetProperty("text", out JsonElement text) && text.ValueKind == JsonValueKind.String
            ? text.GetString()!
            : throw ApiException.Invalid("Only parts of the type 'text' can be answered.", path + "content", "unsupported_value");

    private static SamplingOptions ReadSampling(ChatRequest request, int defaultMaxTokens)
    {
        if (request is { MaxTokens: { } old, MaxCompletionTokens: { } current } && old != current)
        {
            throw ApiException.Invalid("'max_tokens' and 'max_completion_tokens' differ; name one of them.", "max_tokens");
        }

        SamplingOptions sampling = new() { Seed = request.Seed };
        Set("temperature", () => sampling.Temperature = request.Temperature ?? sampling.Temperature);
        Set("top_p", () => sampling.TopP = request.TopP ?? sampling.TopP);
        Set("top_k", () => sampling.TopK = request.TopK ?? sampling.TopK);
        Set("min_p", () => sampling.MinP = request.MinP ?? sampling.MinP);
        Set("repetition_penalty", () => sampling.RepetitionPenalty = request.RepetitionPenalty ?? sampling.RepetitionPenalty);
        Set(request.MaxTokens is null ? "max_completion_tokens" : "max_tokens", () => sampling.MaxTokens = request.MaxTokens ?? request.MaxCompletionTokens ?? defaultMaxTokens);
        Set("stop", () => sampling.StopSequences = ReadStop(request.Stop) ?? sampling.StopSequences);
        return sampling;

        // Checked one by one, so that the error names what the client sent.
        void Set(string name, Action set)
        {
            try
            {
                set();
                sampling.Validate();
            }
            catch (ArgumentException exception)
            {
                throw ApiException.Invalid($"'{name}' is out of range: {exception.Message}", name, "invalid_value", exception);
            }
        }
    }

    private static string[]? ReadStop(JsonElement? stop) => stop switch
    {
        null or { ValueKind: JsonValueKind.Null } => null,
        { ValueKind: JsonValueKind.String } text => [text.GetString()!],
        { ValueKind: JsonValueKind.Array } list when list.GetArrayLength() <= MaxStopCount && list.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String) =>
            [.. list.EnumerateArray().Select(item => item.GetString()!)],
        _ => throw ApiException.Invalid($"'stop' must be a text or a list of at most {MaxStopCount} texts.", "stop"),
    };

    // Clients write out what they do not use: what asks for nothing is no reason to refuse.
    private static void RefuseOthers(Dictionary<string, JsonElement>? others, string path)
    {
        foreach ((string name, JsonElement value) in others ?? [])
        {
            if (!AsksForNothing(name, value))
            {
                throw ApiException.Invalid($"The parameter '{path}{name}' is not supported by this server. Leave it out.", path + name, "unsupported_parameter");
            }
        }
    }

    private static bool AsksForNothing(string name, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.Number => value.GetDouble() == 0,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any() || (name == "response_format" && value.TryGetProperty("type", out JsonElement type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("text")),
        JsonValueKind.String => name == "service_tier" && value.GetString() is "auto" or "default",
        _ => false,
    };
}
